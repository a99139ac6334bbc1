using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>Where a blob's bytes come from. Disposing it closes what was opened.</summary>
public abstract record BlobSource : IAsyncDisposable
{
    private BlobSource()
    {
    }

    public abstract ValueTask DisposeAsync();

    public sealed record OnDisk(PublishedBlob Blob) : BlobSource
    {
        public override ValueTask DisposeAsync()
        {
            Blob.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    /// <param name="Follower">Reads behind the running download.</param>
    /// <param name="Size">In bytes, or null where upstream does not say.</param>
    public sealed record Downloading(BlobFollower Follower, long? Size) : BlobSource
    {
        public override ValueTask DisposeAsync() => Follower.DisposeAsync();
    }
}

/// <summary>
/// Blobs, from disk, from a running download, or from a new one. A blob is only given through a repository that refers to it and whose
/// registry has it; where the store does not know that, upstream is asked.
/// </summary>
public sealed partial class BlobCache(CacheStore store, Downloads downloads, MirrorMetrics metrics, ILogger<BlobCache> logger)
{
    private const long FarAhead = 1024 * 1024;
    private const long LargestPart = 16 * 1024 * 1024;
    private const int MaxParts = 16;

    private int _parts;    // being sent now

    /// <param name="repository">Through which it is asked for.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="priority">For whom. Only clients' requests are counted.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<RemoteAnswer<BlobSource>> OpenAsync(
        UpstreamRepository repository, Digest digest, TransferPriority priority, CancellationToken cancellationToken)
    {
        while (true)
        {
            var link = store.FindLink(repository.Key, digest);
            var blob = link?.Blob ?? store.FindBlob(digest);
            var isGone = true;
            if (blob is not null)
            {
                if (link is not { Held: true } && await ConfirmAsync(repository, digest, cancellationToken) is { } failure)
                {
                    return failure;
                }

                if (store.TryOpen(blob, out isGone) is { } published)
                {
                    Count(priority, "hit");
                    return new BlobSource.OnDisk(published);
                }

                if (isGone)
                {
                    await ForgetAsync(digest);
                }
            }

            if (await FollowAsync(repository, digest, link, priority, evenIfHere: !isGone, cancellationToken) is { } answer)
            {
                return answer;
            }
        }
    }

    /// <summary>A blob's size, without fetching it: a HEAD costs upstream a HEAD at most.</summary>
    public async Task<RemoteAnswer<BlobSize>> HeadAsync(UpstreamRepository repository, Digest digest, CancellationToken cancellationToken)
    {
        var link = store.FindLink(repository.Key, digest);
        if (link is { Held: true, Blob: { } blob })
        {
            metrics.CacheRequest("blob", "hit");
            return new BlobSize(blob.Size);
        }

        var answer = await repository.Upstream.HeadBlobAsync(repository.Name, digest, cancellationToken);
        metrics.CacheRequest("blob", answer is RemoteAnswer<BlobSize>.Failed ? "failed" : "miss");
        return answer is RemoteAnswer<BlobSize>.Found({ Bytes: null }) ? new BlobSize(link?.Descriptor.Size) : answer;
    }

    /// <summary>
    /// A small part of a blob whose download has not come near it, from upstream directly: lazy pullers read here and there, and would
    /// otherwise wait for all that comes before. Never the blob's end, so that nothing unverified can complete it.
    /// </summary>
    /// <param name="download">The running download.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="start">The part's first byte.</param>
    /// <param name="end">Behind its last.</param>
    /// <param name="cancellationToken">The client's.</param>
    /// <returns>The part, for <see cref="ClosePartAsync"/> afterwards; or null where the download is to be followed.</returns>
    public async Task<RemoteBlob?> FindPartAsync(
        BlobSource.Downloading download, Digest digest, long start, long end, CancellationToken cancellationToken)
    {
        var isFar = start - download.Follower.Written > FarAhead && end - start <= LargestPart && end < download.Size;
        var repository = download.Follower.Repository;
        // Who would have to wait for a connection may as well wait for the download.
        if (!isFar || Volatile.Read(ref _parts) >= Math.Min(MaxParts, repository.Upstream.SpareConnections) || repository.Upstream.IsFull)
        {
            return null;
        }

        Interlocked.Increment(ref _parts);
        try
        {
            var transfer = repository.Upstream.StartTransfer(TransferPriority.Client);
            var answer = await repository.Upstream.OpenBlobAsync(
                repository.Name, digest, start, end - 1, transfer, RemotePatience.Retry, cancellationToken);
            if (answer is RemoteAnswer<RemoteBlob>.Found(var part))
            {
                if (part.Offset == start)
                {
                    return part;
                }

                await part.DisposeAsync();
            }
        }
        catch
        {
            Interlocked.Decrement(ref _parts);
            throw;
        }

        Interlocked.Decrement(ref _parts);
        return null;
    }

    public async ValueTask ClosePartAsync(RemoteBlob part)
    {
        await part.DisposeAsync();
        Interlocked.Decrement(ref _parts);
    }

    /// <summary>
    /// A block was not what it should be: the blob is no longer here, and comes from upstream again for the next who asks, or from who pushes it.
    /// Unless that has happened already, and this reader still had the old file open.
    /// </summary>
    public async Task ForgetDamagedAsync(BlobDamagedException damage)
    {
        if (store.FindBlob(damage.Digest) is { } record && IsDamaged(record, damage.Block))
        {
            await ForgetAsync(damage.Digest);
        }
    }

    private bool IsDamaged(BlobRecord record, long block)
    {
        using var published = store.TryOpen(record, out var isGone);
        try
        {
            if (published?.Size > block * BlockChecksums.BlockSize)
            {
                published.ReadBlock(block, new byte[BlockChecksums.BlockSize]);
            }

            return isGone;
        }
        catch (BlobDamagedException)
        {
            return true;
        }
    }

    private async Task ForgetAsync(Digest digest)
    {
        LogDamaged(digest);
        metrics.DamageFound();
        await store.ForgetBlobAsync(digest);
    }

    /// <returns>Null where the blob has come to the store meanwhile.</returns>
    private async Task<RemoteAnswer<BlobSource>?> FollowAsync(
        UpstreamRepository repository,
        Digest digest,
        Link? link,
        TransferPriority priority,
        bool evenIfHere,
        CancellationToken cancellationToken)
    {
        // That a manifest refers to it is not enough where another repository may be one that not everybody may read.
        var throughOthers = link is not null && (link.Held || !repository.Upstream.IsGuarded);
        while (true)
        {
            var download = downloads.Follow(repository, digest, link?.Descriptor.Size, priority, throughOthers, evenIfHere);
            if (download is DownloadAnswer.AlreadyHere)
            {
                return null;
            }

            if (download is not DownloadAnswer.Following(var follower))
            {
                if (await ConfirmAsync(repository, digest, cancellationToken) is { } refused)
                {
                    return refused;
                }

                throughOthers = true;
                continue;
            }

            var answer = await OpenAsync(follower, cancellationToken);

            // Another repository's download may be refused where ours would not be.
            if (answer is RemoteAnswer<BlobSource>.Failed { Failure: RemoteFailure.Missing or RemoteFailure.Denied } && follower.Repository != repository)
            {
                throughOthers = false;
                continue;
            }

            Count(priority, answer is RemoteAnswer<BlobSource>.Failed ? "failed" : "miss");
            return answer;
        }
    }

    private void Count(TransferPriority priority, string outcome)
    {
        if (priority == TransferPriority.Client)
        {
            metrics.CacheRequest("blob", outcome);
        }
    }

    private static async Task<RemoteAnswer<BlobSource>> OpenAsync(BlobFollower follower, CancellationToken cancellationToken)
    {
        try
        {
            if (await follower.OpenedAsync(cancellationToken) is RemoteAnswer<BlobSize>.Failed(var failure))
            {
                await follower.DisposeAsync();
                return failure;
            }

            var size = ((RemoteAnswer<BlobSize>.Found)await follower.OpenedAsync(cancellationToken)).Content.Bytes;
            return new BlobSource.Downloading(follower, size);
        }
        catch
        {
            await follower.DisposeAsync();
            throw;
        }
    }

    /// <summary>Asks the registry whether this repository has the blob, and remembers a yes.</summary>
    /// <returns>Null for a yes.</returns>
    private async Task<RemoteFailure?> ConfirmAsync(UpstreamRepository repository, Digest digest, CancellationToken cancellationToken)
    {
        switch (await repository.Upstream.HeadBlobAsync(repository.Name, digest, cancellationToken))
        {
            case RemoteAnswer<BlobSize>.Found(var answered):
                // A size that nobody knows is not made up: then the yes counts for this time only.
                if ((answered.Bytes ?? store.FindBlob(digest)?.Size) is { } size)
                {
                    var content = new Descriptor(MediaTypes.OctetStream, digest, size);
                    await store.TryRecordConfirmedAsync(repository.Key, repository.Upstream.IsGuarded, content);
                }

                return null;

            case RemoteAnswer<BlobSize>.Failed(var failure):
                return failure;

            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The stored content of {Digest} is damaged or gone; it has to be fetched or pushed again")]
    private partial void LogDamaged(Digest digest);
}
