using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>A registry we pull from: every question to it goes through here, so that each failure is logged once and each answer counted.</summary>
public sealed partial class Upstream(
    RemoteRegistry remote, Freshness freshness, BackgroundLimits limits, MirrorMetrics metrics, ILogger<Upstream> logger)
{
    public string Name => remote.Name;

    public Freshness Freshness => freshness;

    public BackgroundLimits Limits => limits;

    /// <inheritdoc cref="RemoteRegistry.IsFull"/>
    public bool IsFull => remote.IsFull;

    public RateLimit? RateLimit => remote.RateLimit;

    /// <summary>Whoever knows what the tag pointed to can do with that: then there is one attempt.</summary>
    public Task<RemoteAnswer<ResolvedTag>> ResolveAsync(RepositoryName repository, Tag tag, Digest? known, CancellationToken cancellationToken)
    {
        var patience = known is null ? RemotePatience.Retry : RemotePatience.OneAttempt;
        return ObserveAsync("tag", repository, remote.ResolveAsync(repository, tag, known, patience, cancellationToken));
    }

    public Task<RemoteAnswer<Manifest>> GetManifestAsync(RepositoryName repository, Reference reference, CancellationToken cancellationToken) =>
        ObserveAsync("manifest", repository, remote.GetManifestAsync(repository, reference, cancellationToken));

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
        remote.OpenBlobAsync(repository, digest, offset, transfer, cancellationToken, last, patience));

    public Task<RemoteAnswer<BlobSize>> HeadBlobAsync(RepositoryName repository, Digest digest, CancellationToken cancellationToken) =>
        ObserveAsync("blob-head", repository, remote.HeadBlobAsync(repository, digest, cancellationToken));

    public Task<RemoteAnswer<RemotePage<Tag>>> ListTagsAsync(RepositoryName repository, int n, string? last, CancellationToken cancellationToken) =>
        ObserveAsync("tags", repository, remote.ListTagsAsync(repository, page: null, n, last, cancellationToken));

    public Task<RemoteAnswer<RemotePage<Descriptor>>> ListReferrersAsync(
        RepositoryName repository, Digest subject, PageLink? page, CancellationToken cancellationToken) =>
        ObserveAsync("referrers", repository, remote.ListReferrersAsync(repository, subject, page, cancellationToken));

    private async Task<RemoteAnswer<T>> ObserveAsync<T>(string operation, RepositoryName repository, Task<RemoteAnswer<T>> asking)
    {
        var answer = await asking;
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
        if (answer is RemoteAnswer<T>.Failed { Failure: not RemoteFailure.Missing and var failure })
        {
            LogFailed(Name, operation, repository, outcome, failure.Why);
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
