using Mirror.Commands;

return await CommandLine.RunAsync([ServeCommand.Create(), ConfigCommand.Create()], args);
