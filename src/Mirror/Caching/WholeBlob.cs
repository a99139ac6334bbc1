using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>Brings blobs into the store, for who wants them to be there and does not read them. Running downloads are joined.</summary>
public sealed class WholeBlob(CacheStore store, BlobCache blobs, Downloads downloads, TimeProvider time)
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    /// <param name="repository">Through which it is fetched.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="priority">For whom.</param>
    /// <param name="received">Told how many bytes are there of one that is being fetched; at its end all.</param>
    /// <param name="cancellationToken">Ends the wait; a running download goes on.</param>
    /// <returns>Whether it had to be fetched, or why upstream does not give it.</returns>
    /// <exception cref="DownloadFailedException">It is not in the store.</exception>
    public async Task<RemoteAnswer<bool>> FetchAsync(
        UpstreamRepository repository, Digest digest, TransferPriority priority, Action<long> received, CancellationToken cancellationToken)
    {
        var answer = await blobs.OpenAsync(repository, digest, priority, cancellationToken);
        await using var source = (answer as RemoteAnswer<BlobSource>.Found)?.Content;
        if (answer is RemoteAnswer<BlobSource>.Failed(var failure))
        {
            return failure;
        }

        if (source is not BlobSource.Downloading(var follower, _))
        {
            return false;
        }

        await FollowAsync(follower, digest, received, cancellationToken);
        return true;
    }

    /// <summary>Waits until the blob is in the store, which is a little later than when its followers have it.</summary>
    private async Task FollowAsync(BlobFollower follower, Digest digest, Action<long> received, CancellationToken cancellationToken)
    {
        var ended = downloads.EndedAsync(follower.Repository, digest);
        while (!ended.IsCompleted)
        {
            await ended.WaitAsync(ProgressInterval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            received(follower.Written);
        }

        // A small one may have ended before anybody waited.
        received(follower.Written);
        if (store.FindBlob(digest) is null)
        {
            throw follower.Failure
                ?? new DownloadFailedException(DownloadFault.Store, null, "it was received, but the mirror could not store it");
        }
    }
}
