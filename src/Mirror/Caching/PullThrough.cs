using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>The upstreams, and the caches in front of them; disposed as one, in the order in which they depend on each other.</summary>
public sealed class PullThrough : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<RemoteRegistry> _withoutCredentials = [];
    private readonly ManifestCache _manifests;
    private readonly Downloads _downloads;

    /// <param name="registries">Each upstream, and its client, which others may use too and which is not disposed here.</param>
    /// <param name="store">What is kept.</param>
    /// <param name="trouble">Is told what the store can not do.</param>
    /// <param name="metrics">Counts.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Get the events.</param>
    public PullThrough(
        IEnumerable<(UpstreamOptions Options, RemoteRegistry Remote)> registries,
        Store store,
        StoreTrouble trouble,
        MirrorMetrics metrics,
        TimeProvider time,
        ILoggerFactory loggers)
    {
        var upstreams = new List<Upstream>();
        foreach (var (options, remote) in registries)
        {
            // What credentials have read stays guarded when they are taken away.
            var isGuarded = !options.SharesAll && (options.Remote.HasCredentials || store.Metadata.HasPrivate(options.Remote.Name));
            var everybody = isGuarded ? new RemoteRegistry(options.Remote.WithoutCredentials(), time) : null;
            _withoutCredentials.AddRange(everybody is null ? [] : [everybody]);
            upstreams.Add(new Upstream(options, remote, everybody, metrics, loggers.CreateLogger<Upstream>()));
        }

        Upstreams = upstreams;
        metrics.ObserveRateLimits(() => upstreams.Where(upstream => upstream.RateLimit is not null)
            .Select(upstream => (upstream.Name, upstream.RateLimit!.Remaining)));
        var cached = new CacheStore(store, trouble);
        _downloads = new Downloads(cached, metrics, time, loggers);
        _manifests = new ManifestCache(cached, metrics, loggers.CreateLogger<ManifestCache>(), _stopping.Token);
        Tags = new TagCache(cached, _manifests, metrics, time, loggers.CreateLogger<TagCache>(), _stopping.Token);
        Referrers = new ReferrersCache(Tags, time, _stopping.Token);
        Blobs = new BlobCache(cached, _downloads, metrics, loggers.CreateLogger<BlobCache>());
        WholeBlob = new WholeBlob(cached, Blobs, _downloads, time);
        WholeImage = new WholeImage(cached, _manifests, WholeBlob);
        Images = new CachedImages(store, _manifests);
        Completion = new Completion(cached, WholeImage, loggers.CreateLogger<Completion>(), _stopping.Token);
        PublicRepositories = new PublicRepositories(cached, Tags, time, loggers.CreateLogger<PublicRepositories>(), _stopping.Token);
    }

    /// <summary>In the order in which they were given.</summary>
    public IReadOnlyList<Upstream> Upstreams { get; }

    public TagCache Tags { get; }

    public ReferrersCache Referrers { get; }

    public BlobCache Blobs { get; }

    public WholeBlob WholeBlob { get; }

    public WholeImage WholeImage { get; }

    public CachedImages Images { get; }

    public Completion Completion { get; }

    public PublicRepositories PublicRepositories { get; }

    /// <summary>Tags or manifests of a repository have been taken out of the store: what is in memory of it goes too, and is read or asked for again.</summary>
    public void Forget(RepositoryKey repository)
    {
        Tags.Forget(repository);
        _manifests.Forget(repository);
        Referrers.Forget(repository);
        Completion.Forget(repository);
    }

    /// <summary>Ends what is running and waits for it. Nobody may ask any more; the store must still be open.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Completion.DrainAsync();
        await PublicRepositories.DrainAsync();
        await Referrers.DrainAsync();
        await Tags.DrainAsync();
        await _manifests.DrainAsync();
        await _downloads.DisposeAsync();
        _withoutCredentials.ForEach(remote => remote.Dispose());
        _stopping.Dispose();
    }
}
