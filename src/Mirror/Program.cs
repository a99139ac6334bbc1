using Mirror.Commands;

return await CommandLine.RunAsync([ServeCommand.Create(), DemoCommand.Create(), ConfigCommand.Create()], args);
