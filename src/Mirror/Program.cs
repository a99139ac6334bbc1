using Mirror.Commands;

return await CommandLine.RunAsync([ConfigCommand.Create()], args);
