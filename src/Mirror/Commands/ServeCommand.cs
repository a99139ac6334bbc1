using System.CommandLine;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Mirror.Configuration;
using Mirror.Listening;
using Mirror.Observability;
using Mirror.Storage;

namespace Mirror.Commands;

/// <summary><c>mirror serve</c>: the server, until it is told to stop.</summary>
public static partial class ServeCommand
{
    /// <summary>How long what is running may take to finish after the signal to stop: less than the ten seconds after which Docker kills.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    /// <summary>How long another process may go on using the data directory.</summary>
    private static readonly TimeSpan StorePatience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    public static Command Create()
    {
        var serve = new DetailedCommand(
            "serve",
            "Run the server until it gets SIGINT or SIGTERM.",
            """
            Without a configuration file it listens on 127.0.0.1:5000, keeps its data in ./data and mirrors Docker Hub.

            Exits with 0 when it was told to stop, 1 if it can not listen or use its data directory, and 2 if its
            configuration has faults.
            """);
        serve.SetAction((invocation, stopping) => GlobalOptions.FindConfiguration(invocation) is { } loaded
            ? ServeAsync(loaded, invocation.InvocationConfiguration.Error, stopping)
            : Task.FromResult(ExitCode.Misused));
        return serve;
    }

    private static async Task<int> ServeAsync(ConfigurationAnswer.Loaded loaded, TextWriter errors, CancellationToken stopping)
    {
        using var loggers = Logging.Create(loaded.Configuration.Observability.Log);
        var logger = loggers.CreateLogger(typeof(ServeCommand));
        try
        {
            await using var server = await StartAsync(loaded.Configuration, loggers, logger, stopping);
            var registries = loaded.Configuration.Registries.Select(registry => registry.Default ? $"{registry.Name} (default)" : registry.Name);
            LogStarted(
                logger,
                string.Join(", ", server.Addresses),
                loaded.Source,
                Path.GetFullPath(loaded.Configuration.Storage.Path),
                string.Join(", ", registries));
            if (loaded.Configuration is { Registries.Count: 0, Access.MayBePushedTo: false })
            {
                LogNoRegistry(logger);
            }

            await WaitForAsync(stopping);
            LogStopping(logger);
            using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
            await server.StopAsync(patience.Token);
            return ExitCode.Done;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return ExitCode.Done;
        }
        catch (PlatformNotSupportedException e)
        {
            await errors.WriteLineAsync($"mirror: {e.Message} (access.users)");
            return ExitCode.Failed;
        }
        catch (StoreException e)
        {
            await errors.WriteLineAsync($"mirror: {e.Message} (storage.path, or MIRROR_STORAGE__PATH)");
            return ExitCode.Failed;
        }
        catch (CertificateException e)
        {
            await errors.WriteLineAsync($"mirror: {e.Message} (server.tls)");
            return ExitCode.Misused;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await errors.WriteLineAsync($"mirror: {e.Message.TrimEnd('.')} (server.listen, or MIRROR_SERVER__LISTEN)");
            return ExitCode.Failed;
        }
    }

    /// <summary>A command that looks something up holds the data directory for a moment, as does a server that is just ending.</summary>
    private static async Task<MirrorServer> StartAsync(
        MirrorConfiguration configuration, ILoggerFactory loggers, ILogger logger, CancellationToken stopping)
    {
        for (var waited = TimeSpan.Zero; ; waited += Pause)
        {
            try
            {
                return await MirrorServer.StartAsync(configuration, loggers, TimeProvider.System);
            }
            catch (StoreInUseException) when (waited < StorePatience)
            {
                if (waited == TimeSpan.Zero)
                {
                    LogWaiting(logger, Path.GetFullPath(configuration.Storage.Path));
                }

                await Task.Delay(Pause, TimeProvider.System, stopping);
            }
        }
    }

    private static async Task WaitForAsync(CancellationToken stopping)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stopping.Register(stopped.SetResult);
        await stopped.Task;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening on {Addresses}; configuration: {Source}; data: {Data}; registries: {Registries}")]
    private static partial void LogStarted(ILogger logger, string addresses, string source, string data, string registries);

    [LoggerMessage(Level = LogLevel.Information, Message = "Waiting for another process, which uses the data directory {Data}")]
    private static partial void LogWaiting(ILogger logger, string data);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No registry is configured, and nobody may push: there is nothing to pull. Add one below 'registries', or say in 'access' who may push")]
    private static partial void LogNoRegistry(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping; running answers may finish")]
    private static partial void LogStopping(ILogger logger);
}
