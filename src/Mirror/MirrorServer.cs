using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Administration;
using Mirror.Caching;
using Mirror.Configuration;
using Mirror.Observability;
using Mirror.Oci.Remote;
using Mirror.Registry;
using Mirror.Storage;

namespace Mirror;

/// <summary>The server, put together: store, upstreams, caches, the registry API, and the web server in front of them.</summary>
public sealed partial class MirrorServer : IAsyncDisposable
{
    private readonly WebApplication _web;
    private readonly PullThrough _cache;
    private readonly Store _store;
    private readonly MirrorMetrics _metrics;
    private readonly AdministrationSocket? _socket;
    private readonly AdministrationApi _administration;

    private MirrorServer(
        MirrorConfiguration configuration,
        Store store,
        AdministrationSocket? socket,
        ILoggerFactory loggers,
        TimeProvider time,
        NamesReader namesReader)
    {
        _store = store;
        _socket = socket;
        _metrics = new MirrorMetrics();
        var trouble = new StoreTrouble(_metrics, time, loggers.CreateLogger<StoreTrouble>());
        var loops = new Loops();
        _cache = new PullThrough(
            configuration.Registries.Select(registry => OptionsOf(registry, loops.Signature)), store, trouble, _metrics, time, loggers);
        var doors = new Doors([.. _cache.Upstreams.Zip(configuration.Registries, DoorOf)]);
        var access = new ReadAccess(_cache.Upstreams, _cache.PublicRepositories, namesReader);
        var api = new RegistryApi(
            doors,
            loops,
            access,
            new BlobEndpoint(_cache.Blobs, _cache.Completion, _metrics),
            new ManifestEndpoint(_cache.Tags, _cache.Completion),
            new ListingEndpoint(_cache.Tags, _cache.Referrers, store.Metadata, access),
            time,
            loggers.CreateLogger<RegistryApi>());
        var health = new HealthEndpoint(store.Metadata, trouble);

        _administration = new AdministrationApi(doors, _cache, store, loggers.CreateLogger<AdministrationApi>());

        _web = BuildWeb(configuration.Server, socket, loggers);
        // The listener decides which API it is, and nothing that a request says.
        _web.Run(http => http.Features.Get<AdministrationSocket>() is not null
            ? _administration.HandleAsync(http)
            : http.Request.Path.Value switch
            {
                "/healthz" => HealthEndpoint.HealthAsync(http),
                "/readyz" => health.ReadyAsync(http),
                _ => api.HandleAsync(http),
            });
    }

    /// <summary>Where it listens, with the ports that were chosen where 0 was asked for.</summary>
    public IReadOnlyList<Uri> Addresses =>
    [
        .. _web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Where(address => _socket is null || !address.EndsWith(_socket.Path, StringComparison.Ordinal))
            .Select(address => new Uri(address)),
    ];

    /// <summary>Opens the store and listens. No upstream is asked: a mirror starts whether they are there or not.</summary>
    /// <param name="configuration">What holds.</param>
    /// <param name="loggers">Get the events.</param>
    /// <param name="time">The clock.</param>
    /// <param name="namesReader">Whom rules name; nobody where this is null.</param>
    /// <exception cref="StoreException">The data directory can not be used.</exception>
    /// <exception cref="IOException">An address can not be listened on.</exception>
    /// <exception cref="SocketException">The same, for an address that is not this machine's.</exception>
    public static Task<MirrorServer> StartAsync(
        MirrorConfiguration configuration, ILoggerFactory loggers, TimeProvider time, NamesReader? namesReader = null) =>
        StartAsync(configuration, loggers, time, namesReader, () => FindSocket(configuration.Storage.Path, loggers));

    /// <summary>The same without a public address: for a command that finds no server running, and may itself be asked by others.</summary>
    /// <exception cref="StoreException">The data directory can not be used.</exception>
    public static Task<MirrorServer> StartPrivatelyAsync(MirrorConfiguration configuration, ILoggerFactory loggers, TimeProvider time) =>
        StartAsync(
            configuration with { Server = configuration.Server with { Listen = [] } },
            loggers,
            time,
            namesReader: null,
            () => GetSocket(configuration.Storage.Path));

    /// <summary>Waits until no command is being answered.</summary>
    public Task WaitForCommandsAsync() => _administration.WaitUntilIdleAsync();

    /// <summary>Accepts nothing more, and lets what is running finish until <paramref name="patience"/> ends.</summary>
    public Task StopAsync(CancellationToken patience) => _web.StopAsync(patience);

    /// <summary>Stops at once: what is still running is broken off.</summary>
    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync(new CancellationToken(canceled: true));
        await _cache.DisposeAsync();
        await _web.DisposeAsync();
        _socket?.Dispose();
        await _store.DisposeAsync();
        _metrics.Dispose();
    }

    private static async Task<MirrorServer> StartAsync(
        MirrorConfiguration configuration,
        ILoggerFactory loggers,
        TimeProvider time,
        NamesReader? namesReader,
        Func<AdministrationSocket?> bind)
    {
        var store = Store.Open(configuration.Storage.Path, time);
        MirrorServer server;
        try
        {
            server = new MirrorServer(configuration, store, bind(), loggers, time, namesReader ?? ReadAccess.NobodyIsNamed);
        }
        catch
        {
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

    private static Door DoorOf(Upstream upstream, RegistryOptions registry) => new(upstream, registry.Url, registry.Host, registry.Default);

    private static UpstreamOptions OptionsOf(RegistryOptions registry, string via)
    {
        var remote = new RemoteRegistryOptions
        {
            Name = registry.Name,
            Url = registry.Url,
            Credentials = registry is { Username: { } username, Password: { } password } ? new BasicCredentials(username, password.Reveal()) : null,
            DockerConfig = registry.Credentials == CredentialSource.Docker ? DockerConfigPath() : null,
            Realms = registry.Realms,
            Via = via,
            CertificateAuthorities = registry.CertificateAuthorities,
            ClientCertificate = registry.ClientCertificate,
            Proxy = registry.Proxy,
            MaxConnections = registry.MaxConnections,
            Bandwidth = registry.Bandwidth,
            UserAgent = $"mirror/{typeof(MirrorServer).Assembly.GetName().Version!.ToString(3)}",
        };
        return new UpstreamOptions(remote, new Freshness(registry.TagFreshness, registry.ServeStale) { Immutable = registry.ImmutableTags })
        {
            SharesAll = registry.Share == Share.All,
            IsOffline = registry.Offline,
            FinishAbandoned = registry.FinishAbandoned,
            Complete = registry.Complete,
            Allow = registry.Allow,
        };
    }

    private static string DockerConfigPath() => Path.Combine(
        Environment.GetEnvironmentVariable("DOCKER_CONFIG") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".docker"),
        "config.json");

    private static WebApplication BuildWeb(ServerOptions options, AdministrationSocket? socket, ILoggerFactory loggers)
    {
        // An empty builder reads no files and watches no folders; the content root would otherwise be the working directory, which may be
        // anything, and large.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.AddSingleton(loggers);
        // How long what is running may take is for those to say who stop the server.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel => Configure(kestrel, options));
        socket?.AddTo(builder.WebHost, Configure);
        return builder.Build();
    }

    private static void Configure(KestrelServerOptions kestrel, ServerOptions options)
    {
        kestrel.AddServerHeader = false;
        // A slow client is slow for itself only; it is no reason to cut it off.
        kestrel.Limits.MinResponseDataRate = null;
        foreach (var address in options.Listen)
        {
            address.AddTo(kestrel, Configure);
        }
    }

    private static void Configure(ListenOptions listen) => listen.Protocols = HttpProtocols.Http1;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Commands such as `mirror images` will not reach this server: {Why}")]
    private static partial void LogNoSocket(ILogger logger, string why);
}
