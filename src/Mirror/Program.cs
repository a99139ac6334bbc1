using Mirror.Commands;

return await CommandLine.RunAsync(
    [
        ServeCommand.Create(),
        HealthCommand.Create(),
        DemoCommand.Create(),
        ConfigCommand.Create(),
        SyncCommand.Create(),
        WarmCommand.Create(),
        RefreshCommand.Create(),
        RemoveCommand.Create(),
        ImagesCommand.Create(),
        UsageCommand.Create(),
        AdoptCommand.Create(),
        RebuildCommand.Create(),
        UserCommand.Create(),
    ],
    args);
