using Microsoft.Extensions.Logging;
using Mirror.Administration;
using Mirror.Configuration;
using Mirror.Observability;
using Mirror.Storage;

namespace Mirror.Commands;

/// <summary>
/// Somebody who answers the internal API: the running server, or this process where none runs. Only one process uses a store, so a command
/// never opens one that a server has.
/// </summary>
internal sealed class ServerSession : IAsyncDisposable
{
    /// <summary>A server that is just starting, or a command that is just ending, holds the lock without an answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly MirrorServer? _own;
    private readonly ILoggerFactory? _loggers;

    private ServerSession(AdministrationClient client, MirrorServer? own, ILoggerFactory? loggers) =>
        (Client, _own, _loggers) = (client, own, loggers);

    public AdministrationClient Client { get; }

    /// <exception cref="StoreException">There is nobody, and this process can not use the store.</exception>
    /// <exception cref="AdministrationException">There is somebody who does not answer us.</exception>
    public static async Task<ServerSession> OpenAsync(
        MirrorConfiguration configuration, TimeProvider time, CancellationToken cancellationToken)
    {
        var socket = AdministrationSocket.Locate(configuration.Storage.Path);
        for (var waited = TimeSpan.Zero; waited < Patience; waited += Pause)
        {
            var client = new AdministrationClient(socket);
            try
            {
                if (await client.IsAnsweredAsync(cancellationToken))
                {
                    return new ServerSession(client, own: null, loggers: null);
                }

                return await HostAsync(client, configuration);
            }
            catch (StoreInUseException)
            {
                client.Dispose();
                await Task.Delay(Pause, time, cancellationToken);
            }
            catch
            {
                client.Dispose();
                throw;
            }
        }

        var data = Path.GetFullPath(configuration.Storage.Path);
        throw new StoreException(
            $"the data directory {data} is in use by another process, but nobody answers at the socket {socket}: the server's log says why "
            + "if it could not make it");
    }

    /// <summary>Waits for other commands that found this process while it answered for itself.</summary>
    /// <param name="waiting">Called where that takes a while.</param>
    /// <param name="stopping">Ends the waiting, and after a moment what is waited for.</param>
    /// <exception cref="OperationCanceledException">Another command was being answered when this one was told to stop.</exception>
    public async Task WaitForOthersAsync(Action waiting, CancellationToken stopping)
    {
        if (_own is null)
        {
            return;
        }

        if (stopping.IsCancellationRequested)
        {
            // What this command has started ends with it.
            _own.StopRuns();
        }

        var idle = _own.WaitForCommandsAsync();
        try
        {
            // This command's own request is noticed to have ended within that, and is not one of the others.
            await idle.WaitAsync(Moment, TimeProvider.System, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            stopping.ThrowIfCancellationRequested();
            waiting();
            await idle.WaitAsync(stopping);
        }

        await _own.StopAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (_own is not null)
        {
            await _own.DisposeAsync();
        }

        _loggers?.Dispose();
    }

    private static async Task<ServerSession> HostAsync(AdministrationClient client, MirrorConfiguration configuration)
    {
        var loggers = Logging.CreateForCommand();
        try
        {
            var own = await MirrorServer.StartPrivatelyAsync(configuration, loggers, TimeProvider.System);
            client.IsOwn = true;
            return new ServerSession(client, own, loggers);
        }
        catch
        {
            loggers.Dispose();
            throw;
        }
    }
}
