using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Caching;
using Mirror.Configuration;
using Mirror.Observability;
using Mirror.Oci.Remote;
using Mirror.Registry;
using Mirror.Storage;

namespace Mirror;

/// <summary>The server, put together: store, upstreams, caches, the registry API, and the web server in front of them.</summary>
public sealed class MirrorServer : IAsyncDisposable
{
    private readonly WebApplication _web;
    private readonly PullThrough _cache;
    private readonly Store _store;
    private readonly MirrorMetrics _metrics;

    private MirrorServer(MirrorConfiguration configuration, Store store, ILoggerFactory loggers, TimeProvider time)
    {
        _store = store;
        _metrics = new MirrorMetrics();
        var trouble = new StoreTrouble(_metrics, time, loggers.CreateLogger<StoreTrouble>());
        var loops = new Loops();
        _cache = new PullThrough(configuration.Registries.Select(registry => OptionsOf(registry, loops.Signature)), new CacheStore(store, trouble), _metrics, time, loggers);
        var api = new RegistryApi(
            new Doors([.. _cache.Upstreams.Zip(configuration.Registries, DoorOf)]),
            loops,
            new BlobEndpoint(_cache.Blobs, _cache.Completion, _metrics),
            new ManifestEndpoint(_cache.Tags, _cache.Completion),
            new ListingEndpoint(_cache.Tags, _cache.Referrers, store.Metadata),
            time,
            loggers.CreateLogger<RegistryApi>());
        var health = new HealthEndpoint(store.Metadata, trouble);

        _web = BuildWeb(configuration.Server, loggers);
        _web.Run(http => http.Request.Path.Value switch
        {
            "/healthz" => HealthEndpoint.HealthAsync(http),
            "/readyz" => health.ReadyAsync(http),
            _ => api.HandleAsync(http),
        });
    }

    /// <summary>Where it listens, with the ports that were chosen where 0 was asked for.</summary>
    public IReadOnlyList<Uri> Addresses =>
        [.. _web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(address => new Uri(address))];

    /// <summary>Opens the store and listens. No upstream is asked: a mirror starts whether they are there or not.</summary>
    /// <exception cref="StoreException">The data directory can not be used.</exception>
    /// <exception cref="IOException">An address can not be listened on.</exception>
    /// <exception cref="SocketException">The same, for an address that is not this machine's.</exception>
    public static async Task<MirrorServer> StartAsync(MirrorConfiguration configuration, ILoggerFactory loggers, TimeProvider time)
    {
        var server = new MirrorServer(configuration, Store.Open(configuration.Storage.Path, time), loggers, time);
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

    /// <summary>Accepts nothing more, and lets what is running finish until <paramref name="patience"/> ends.</summary>
    public Task StopAsync(CancellationToken patience) => _web.StopAsync(patience);

    /// <summary>Stops at once: what is still running is broken off.</summary>
    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync(new CancellationToken(canceled: true));
        await _cache.DisposeAsync();
        await _web.DisposeAsync();
        await _store.DisposeAsync();
        _metrics.Dispose();
    }

    private static Door DoorOf(Upstream upstream, RegistryOptions registry) => new(upstream, registry.Url, registry.Host, registry.Default);

    private static (RemoteRegistryOptions Remote, Freshness Freshness, BackgroundLimits Limits) OptionsOf(RegistryOptions registry, string via)
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
        var freshness = new Freshness(registry.TagFreshness, registry.ServeStale) { Immutable = registry.ImmutableTags };
        return (remote, freshness, new BackgroundLimits(registry.FinishAbandoned, registry.Complete));
    }

    private static string DockerConfigPath() => Path.Combine(
        Environment.GetEnvironmentVariable("DOCKER_CONFIG") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".docker"),
        "config.json");

    private static WebApplication BuildWeb(ServerOptions options, ILoggerFactory loggers)
    {
        // An empty builder reads no files and watches no folders; the content root would otherwise be the working directory, which may be
        // anything, and large.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.AddSingleton(loggers);
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel => Configure(kestrel, options));
        return builder.Build();
    }

    private static void Configure(KestrelServerOptions kestrel, ServerOptions options)
    {
        kestrel.AddServerHeader = false;
        // A slow client is slow for itself only; it is no reason to cut it off.
        kestrel.Limits.MinResponseDataRate = null;
        foreach (var address in options.Listen)
        {
            address.AddTo(kestrel, listen => listen.Protocols = HttpProtocols.Http1);
        }
    }
}
