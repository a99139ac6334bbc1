using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Administration;
using Mirror.Configuration;
using Mirror.Listening;
using Mirror.Storage;

namespace Mirror;

/// <summary>The server: the store, what answers requests, and the web server in front of it.</summary>
public sealed partial class MirrorServer : IAsyncDisposable
{
    /// <summary>How the web server writes an address that is a file.</summary>
    private const string UnixSocket = "http://unix:";

    private readonly WebApplication _web;
    private readonly MirrorApplication _application;
    private readonly AdministrationSocket? _socket;
    private readonly Encryption? _encryption;

    private MirrorServer(
        WebApplication web, MirrorApplication application, AdministrationSocket? socket, Encryption? encryption, Store store)
    {
        _web = web;
        _application = application;
        _socket = socket;
        _encryption = encryption;
        Store = store;
        _web.Run(_application.HandleAsync);
    }

    /// <summary>Where it listens, with the ports that were chosen where 0 was asked for.</summary>
    public IReadOnlyList<Uri> Addresses =>
    [
        .. _web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Where(address => !address.StartsWith(UnixSocket, StringComparison.Ordinal))
            .Select(address => new Uri(address)),
    ];

    /// <summary>What it keeps.</summary>
    internal Store Store { get; }

    /// <summary>
    /// Opens the store, listens, and runs jobs on schedule. No upstream is asked before that: a mirror starts whether they are there or not.
    /// </summary>
    /// <param name="configuration">What holds.</param>
    /// <param name="loggers">Get the events.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="StoreException">The data directory can not be used.</exception>
    /// <exception cref="CertificateException">There is no certificate to show, or no key to it.</exception>
    /// <exception cref="IOException">An address can not be listened on.</exception>
    /// <exception cref="SocketException">The same, for an address that is not this machine's.</exception>
    public static async Task<MirrorServer> StartAsync(MirrorConfiguration configuration, ILoggerFactory loggers, TimeProvider time)
    {
        var server = await StartAsync(configuration, loggers, time, () => FindSocket(configuration.Storage.Path, loggers));
        server._application.Replicator.StartClock();
        return server;
    }

    /// <summary>The same without a public address and without a schedule: for a command that finds no server running, and may itself be asked by others.</summary>
    /// <exception cref="StoreException">The data directory can not be used.</exception>
    public static Task<MirrorServer> StartPrivatelyAsync(MirrorConfiguration configuration, ILoggerFactory loggers, TimeProvider time) =>
        StartAsync(
            configuration with { Server = configuration.Server with { Listen = [], Tls = null }, Access = new AccessOptions() },
            loggers,
            time,
            () => GetSocket(configuration.Storage.Path));

    /// <summary>Waits until no command is being answered.</summary>
    public Task WaitForCommandsAsync() => _application.WaitForCommandsAsync();

    /// <summary>Starts no run any more, and tells those that go on to stop.</summary>
    public void StopRuns() => _application.Replicator.Stop();

    /// <summary>Accepts nothing more, and lets what is running finish until <paramref name="patience"/> ends.</summary>
    public Task StopAsync(CancellationToken patience)
    {
        // Who follows a run is told how it ended, and holds up nothing.
        StopRuns();
        return _web.StopAsync(patience);
    }

    /// <summary>Stops at once: what is still running is broken off.</summary>
    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync(new CancellationToken(canceled: true));
        await _application.DisposeAsync();
        await _web.DisposeAsync();
        _socket?.Dispose();
        if (_encryption is not null)
        {
            await _encryption.DisposeAsync();
        }

        await Store.DisposeAsync();
    }

    private static async Task<MirrorServer> StartAsync(
        MirrorConfiguration configuration, ILoggerFactory loggers, TimeProvider time, Func<AdministrationSocket?> bind)
    {
        var store = Store.Open(configuration.Storage.Path, time);
        Encryption? encryption = null;
        MirrorServer server;
        try
        {
            encryption = configuration.Server.Tls is { } tls
                ? new Encryption(tls, configuration.Server.Limits.Handshake, time, loggers.CreateLogger<Encryption>())
                : null;
            var socket = bind();
            // Each loads much code before it can be, and neither needs the other.
            var building = Task.Run(() => BuildWeb(configuration.Server, socket, encryption, loggers));
            var application = new MirrorApplication(configuration, store, loggers, time, encryption);
            server = new MirrorServer(await building, application, socket, encryption, store);
        }
        catch
        {
            if (encryption is not null)
            {
                await encryption.DisposeAsync();
            }

            await store.DisposeAsync();
            throw;
        }

        try
        {
            await server._web.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Clients are served without it too: some file systems have no sockets.</summary>
    private static AdministrationSocket? FindSocket(string dataPath, ILoggerFactory loggers)
    {
        try
        {
            return GetSocket(dataPath);
        }
        catch (StoreException e)
        {
            LogNoSocket(loggers.CreateLogger<MirrorServer>(), e.Message);
            return null;
        }
    }

    private static AdministrationSocket GetSocket(string dataPath)
    {
        try
        {
            return AdministrationSocket.Bind(dataPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new StoreException($"the socket for commands can not be made: {e.Message.TrimEnd('.')}", e);
        }
    }

    private static WebApplication BuildWeb(
        ServerOptions options, AdministrationSocket? socket, Encryption? encryption, ILoggerFactory loggers)
    {
        // An empty builder reads no files and watches no folders; the content root would otherwise be the working directory, which may be
        // anything, and large.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.AddSingleton(loggers);
        // How long what is running may take is for those to say who stop the server.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.WebHost.UseKestrelCore();
        // Behind that, which brings its own: the last one counts.
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, ConnectionMemory>();
        builder.WebHost.ConfigureKestrel(kestrel => Configure(kestrel, options, encryption));
        socket?.AddTo(builder.WebHost, SpeakPlainly);
        var web = builder.Build();
        Forwarding.AddTo(web, options.TrustedProxies);
        return web;
    }

    private static void Configure(KestrelServerOptions kestrel, ServerOptions options, Encryption? encryption)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestLineSize = options.Limits.RequestLine;
        kestrel.Limits.MaxRequestHeadersTotalSize = options.Limits.Headers;
        kestrel.Limits.RequestHeadersTimeout = options.Limits.HeadersTimeout;
        kestrel.Limits.KeepAliveTimeout = options.Limits.KeepAlive;
        // Beyond such a number connections are cut off without an answer, whoever comes. How many files the process may have open is the limit.
        kestrel.Limits.MaxConcurrentConnections = null;
        // A slow client is slow for itself only; it is no reason to cut it off.
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        // Layers have any size; what is read whole has limits of its own.
        kestrel.Limits.MaxRequestBodySize = null;
        // A few of the blocks that it arrives in: many uploads at once are to take no more of them than are kept to be used again.
        kestrel.Limits.MaxRequestBufferSize = 256 * 1024;
        // More than a block of a blob: the next one is read while the last one is sent.
        kestrel.Limits.MaxResponseBufferSize = 320 * 1024;
        // Tokens are one header.
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = options.Limits.Headers;
        // What a client may send before anybody has read it: at 50 ms to the client, a push has 80 MB/s then. A connection takes no more memory.
        kestrel.Limits.Http2.InitialConnectionWindowSize = 4 * 1024 * 1024;
        kestrel.Limits.Http2.InitialStreamWindowSize = 2 * 1024 * 1024;
        kestrel.Limits.Http2.MaxFrameSize = 64 * 1024;
        foreach (var address in options.Listen)
        {
            address.AddTo(kestrel, encryption is null ? SpeakPlainly : encryption.AddTo);
        }
    }

    private static void SpeakPlainly(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(SocketOutput.Before);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Commands such as `mirror images` will not reach this server: {Why}")]
    private static partial void LogNoSocket(ILogger logger, string why);
}
