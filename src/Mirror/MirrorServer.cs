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
    private readonly Store _store;
    private readonly Downloads _downloads;
    private readonly IReadOnlyList<RemoteRegistry> _remotes;
    private readonly MirrorMetrics _metrics;

    private MirrorServer(WebApplication web, Store store, Downloads downloads, IReadOnlyList<RemoteRegistry> remotes, MirrorMetrics metrics)
    {
        _web = web;
        _store = store;
        _downloads = downloads;
        _remotes = remotes;
        _metrics = metrics;
    }

    /// <summary>Where it listens, with the ports that were chosen where 0 was asked for.</summary>
    public IReadOnlyList<Uri> Addresses =>
        [.. _web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(address => new Uri(address))];

    /// <summary>Opens the store and listens. No upstream is asked: a mirror starts whether they are there or not.</summary>
    /// <exception cref="StoreException">The data directory can not be used.</exception>
    /// <exception cref="IOException">An address can not be listened on.</exception>
    public static async Task<MirrorServer> StartAsync(MirrorConfiguration configuration, ILoggerFactory loggers, TimeProvider time)
    {
        var metrics = new MirrorMetrics();
        var store = Store.Open(configuration.Storage.Path, time);
        var downloads = new Downloads(store, metrics, time, loggers);
        var remotes = configuration.Registries.Select(registry => new RemoteRegistry(RemoteOptionsOf(registry), time)).ToList();
        var upstreams = configuration.Registries.Zip(remotes, (registry, remote) => new Upstream(
            remote, new Freshness(registry.TagFreshness, registry.ServeStale), metrics, loggers.CreateLogger<Upstream>())).ToList();
        var defaultName = configuration.Registries.FirstOrDefault(registry => registry.Default)?.Name;

        var manifests = new ManifestCache(store, metrics, loggers.CreateLogger<ManifestCache>());
        var tags = new TagCache(store, manifests, metrics, time, loggers.CreateLogger<TagCache>());
        var blobs = new BlobCache(store, downloads, metrics, loggers.CreateLogger<BlobCache>());
        var api = new RegistryApi(
            new Doors(upstreams, upstreams.Find(upstream => upstream.Name == defaultName)),
            new BlobEndpoint(blobs, metrics),
            new ManifestEndpoint(manifests, tags),
            new ListingEndpoint(tags, store.Metadata),
            time,
            loggers.CreateLogger<RegistryApi>());
        var health = new HealthEndpoint(store.Metadata);

        var web = BuildWeb(configuration.Server, loggers);
        web.Run(http => http.Request.Path.Value switch
        {
            "/healthz" => HealthEndpoint.HealthAsync(http),
            "/readyz" => health.ReadyAsync(http),
            _ => api.HandleAsync(http),
        });
        var server = new MirrorServer(web, store, downloads, remotes, metrics);
        try
        {
            await web.StartAsync();
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
        await _downloads.DisposeAsync();
        await _web.DisposeAsync();
        await _store.DisposeAsync();
        foreach (var remote in _remotes)
        {
            remote.Dispose();
        }

        _metrics.Dispose();
    }

    private static RemoteRegistryOptions RemoteOptionsOf(RegistryOptions registry) => new()
    {
        Name = registry.Name,
        Url = registry.Url,
        Credentials = registry is { Username: { } username, Password: { } password } ? new BasicCredentials(username, password.Reveal()) : null,
        Realms = registry.Realms,
        UserAgent = $"mirror/{typeof(MirrorServer).Assembly.GetName().Version!.ToString(3)}",
    };

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
