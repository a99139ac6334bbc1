using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>In whose name a registry is asked.</summary>
public enum Asker
{
    /// <summary>With our credentials, where there are any.</summary>
    Us,

    /// <summary>Without.</summary>
    Everybody,
}

/// <summary>A registry we pull from: every question to it goes through here, so that each failure is logged once and each answer counted.</summary>
/// <param name="options">What it is.</param>
/// <param name="remote">Its client.</param>
/// <param name="everybody">Its client without credentials, where not all that they can read is for everybody.</param>
/// <param name="metrics">Counts.</param>
/// <param name="logger">Gets its failures.</param>
public sealed partial class Upstream(
    UpstreamOptions options, RemoteRegistry remote, RemoteRegistry? everybody, MirrorMetrics metrics, ILogger<Upstream> logger)
{
    private const string Access = "access";

    public string Name => remote.Name;

    public Freshness Freshness { get; } = options.Freshness with { IsForever = options.IsOffline };

    /// <summary>What it answers where it is never contacted, in its place; null where it is.</summary>
    public RemoteFailure.Missing? OfflineAnswer { get; } =
        options.IsOffline ? new RemoteFailure.Missing($"it is not here, and {options.Remote.Name} is offline: it is not asked") : null;

    /// <summary>Whether it may give us what it does not give everybody, and what is not to be shown to everybody here either.</summary>
    public bool IsGuarded => everybody is not null;

    /// <summary>Whether it knows us by a certificate.</summary>
    public bool ShowsCertificate => options.Remote.ClientCertificate is not null;

    /// <summary>Whether a repository may be pulled through. Of another it is not asked anything, for nobody.</summary>
    public bool Allows(RepositoryName repository)
    {
        foreach (var pattern in options.Allow)
        {
            if (pattern.Matches(repository.ToString()))
            {
                return true;
            }
        }

        return options.Allow.Count == 0;
    }

    /// <inheritdoc cref="UpstreamOptions.FinishAbandoned"/>
    public long FinishAbandoned => options.FinishAbandoned;

    /// <summary>Up to which size, in bytes, its images are completed; 0 where there is nowhere to fetch anything from.</summary>
    public long Complete => options.IsOffline ? 0 : options.Complete;

    /// <inheritdoc cref="RemoteRegistry.IsFull"/>
    public bool IsFull => remote.IsFull;

    /// <inheritdoc cref="RemoteRegistry.SpareConnections"/>
    public int SpareConnections => remote.SpareConnections;

    public RateLimit? RateLimit => remote.RateLimit;

    /// <summary>Whoever knows what the tag pointed to can do with that: then there is one attempt.</summary>
    public Task<RemoteAnswer<ResolvedTag>> ResolveAsync(RepositoryName repository, Tag tag, Digest? known, CancellationToken cancellationToken)
    {
        var patience = known is null ? RemotePatience.Retry : RemotePatience.OneAttempt;
        return ObserveAsync("tag", repository, () => remote.ResolveAsync(repository, tag, known, patience, cancellationToken));
    }

    public Task<RemoteAnswer<Manifest>> GetManifestAsync(RepositoryName repository, Reference reference, CancellationToken cancellationToken) =>
        ObserveAsync("manifest", repository, () => remote.GetManifestAsync(repository, reference, cancellationToken));

    /// <summary>Some bytes of a blob have arrived.</summary>
    public void CountReceived(int bytes) => metrics.Received(Name, bytes);

    /// <inheritdoc cref="RemoteRegistry.StartTransfer"/>
    public Transfer StartTransfer(TransferPriority priority) => remote.StartTransfer(priority);

    /// <summary>A blob from <paramref name="offset"/> on, up to and with <paramref name="last"/> if one is given.</summary>
    public Task<RemoteAnswer<RemoteBlob>> OpenBlobAsync(
        RepositoryName repository,
        Digest digest,
        long offset,
        long? last,
        Transfer transfer,
        RemotePatience patience,
        CancellationToken cancellationToken) => ObserveAsync(
        last is null ? "blob" : "blob-part",
        repository,
        () => remote.OpenBlobAsync(repository, digest, offset, transfer, cancellationToken, last, patience));

    public Task<RemoteAnswer<BlobSize>> HeadBlobAsync(RepositoryName repository, Digest digest, CancellationToken cancellationToken) =>
        ObserveAsync("blob-head", repository, () => remote.HeadBlobAsync(repository, digest, cancellationToken));

    public Task<RemoteAnswer<RemotePage<Tag>>> ListTagsAsync(RepositoryName repository, int n, string? last, CancellationToken cancellationToken) =>
        ObserveAsync("tags", repository, () => remote.Listings.ListTagsAsync(repository, page: null, n, last, cancellationToken));

    public Task<RemoteAnswer<RemotePage<Descriptor>>> ListReferrersAsync(
        RepositoryName repository, Digest subject, PageLink? page, CancellationToken cancellationToken) =>
        ObserveAsync("referrers", repository, () => remote.Listings.ListReferrersAsync(repository, subject, page, cancellationToken));

    /// <summary>Why somebody can not have something there; null where it can be had.</summary>
    public async Task<RemoteFailure?> FindFailureAsync(
        RepositoryName repository, RepositoryContent wanted, Asker asker, RemotePatience patience, CancellationToken cancellationToken)
    {
        var registry = asker == Asker.Everybody ? everybody ?? remote : remote;
        return wanted switch
        {
            RepositoryContent.OfManifest(var reference) =>
                await AskAsync(() => registry.ResolveAsync(repository, reference, known: null, patience, cancellationToken)),
            RepositoryContent.OfBlob(var digest) => await AskAsync(() => registry.HeadBlobAsync(repository, digest, cancellationToken, patience)),
            RepositoryContent.OfTags =>
                await AskAsync(() => registry.Listings.ListTagsAsync(repository, page: null, n: 1, last: null, cancellationToken, patience)),
            _ => throw new System.Diagnostics.UnreachableException(),
        };

        async Task<RemoteFailure?> AskAsync<T>(Func<Task<RemoteAnswer<T>>> ask) =>
            await ObserveAsync(Access, repository, ask) is RemoteAnswer<T>.Failed(var failure) ? failure : null;
    }

    private async Task<RemoteAnswer<T>> ObserveAsync<T>(string operation, RepositoryName repository, Func<Task<RemoteAnswer<T>>> ask)
    {
        if (OfflineAnswer is { } notHere)
        {
            return notHere;
        }

        var answer = await ask();
        var outcome = answer switch
        {
            RemoteAnswer<T>.Failed(RemoteFailure.Missing) => "missing",
            RemoteAnswer<T>.Failed(RemoteFailure.Denied) => "denied",
            RemoteAnswer<T>.Failed(RemoteFailure.Throttled) => "throttled",
            RemoteAnswer<T>.Failed => "unavailable",
            RemoteAnswer<T>.Unchanged => "unchanged",
            _ => "found",
        };
        metrics.UpstreamRequest(Name, operation, outcome);
        // That everybody or we may not read something is the answer to the question who may.
        var isAnswer = answer is not RemoteAnswer<T>.Failed(var failed) || failed is RemoteFailure.Missing
            || (failed is RemoteFailure.Denied && operation == Access);
        if (!isAnswer && answer is RemoteAnswer<T>.Failed(var failure))
        {
            LogFailed(Name, operation, repository, outcome, failure.WhyInFull);
        }

        return answer;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Upstream} gave no {Operation} of {Repository} ({Outcome}): {Why}")]
    private partial void LogFailed(string upstream, string operation, RepositoryName repository, string outcome, string why);
}

/// <summary>A repository of an upstream.</summary>
public sealed record UpstreamRepository(Upstream Upstream, RepositoryName Name)
{
    public RepositoryKey Key { get; } = new(Upstream.Name, Name);
}
