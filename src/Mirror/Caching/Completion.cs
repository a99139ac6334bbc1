using Microsoft.Extensions.Logging;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// Fetches the rest of an image behind the client that reads its first layer: the next who pulls it finds all of it here, whatever this
/// one had already or leaves out. Who only reads manifests and configs, as scanners do, fetches nothing. What a client comes to
/// is the client's at once.
/// </summary>
public sealed partial class Completion(CacheStore store, BlobCache blobs, ILogger<Completion> logger, CancellationToken stopping)
{
    private const int MaxAtOnce = 4;

    private readonly ImagesRead _images = new(20_000);
    private readonly SharedRequests<(RepositoryKey, Digest), bool> _running = new();

    /// <summary>A client is being given a manifest.</summary>
    public void ManifestRead(UpstreamRepository repository, Manifest manifest)
    {
        var limit = repository.Upstream.Limits.Complete;
        if (limit > 0 && MediaTypes.IsImage(manifest.MediaType) && !_images.TryTouch(repository.Key, manifest.Digest))
        {
            var view = manifest.View();
            var layers = view.Layers.Where(layer => !MediaTypes.IsForeignLayer(layer.MediaType)).DistinctBy(layer => layer.Digest).ToList();
            var isSmallEnough = layers.Append(view.Config!).Sum(blob => (decimal)blob.Size) <= limit;
            _images.Add(new ReadImage(repository.Key, manifest.Digest, view.Config!.Digest, isSmallEnough ? layers.ConvertAll(layer => layer.Digest) : []));
        }
    }

    /// <summary>A client is being given a blob, or a part of it.</summary>
    public void BlobRead(UpstreamRepository repository, Digest digest)
    {
        if (_images.TakeByLayer(repository.Key, digest) is { } image)
        {
            _ = _running.Ask((image.Repository, image.Digest), () => TryCompleteAsync(repository, image));
        }
    }

    /// <summary>Waits for what is running; nobody may read any more.</summary>
    public Task DrainAsync() => _running.DrainAsync();

    /// <returns>Whether all of it is here now.</returns>
    private async Task<bool> TryCompleteAsync(UpstreamRepository repository, ReadImage image)
    {
        var why = default(string);
        try
        {
            var bounds = new ParallelOptions { MaxDegreeOfParallelism = MaxAtOnce, CancellationToken = stopping };
            await Parallel.ForEachAsync(image.Layers.Prepend(image.Config), bounds, async (blob, cancellationToken) =>
            {
                if (await FetchAsync(repository, blob, cancellationToken) is { } failure)
                {
                    why = failure;
                }
            });
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (Exception e)
        {
            why = e.Message;
        }

        if (why is not null)
        {
            _images.Forget(image);
            LogIncomplete(repository.Key, image.Digest, why);
        }

        return why is null;
    }

    /// <returns>Why upstream does not give it, or null: that is no reason to leave the others.</returns>
    /// <exception cref="DownloadFailedException">It can not be stored, and nor could the others.</exception>
    private async Task<string?> FetchAsync(UpstreamRepository repository, Digest digest, CancellationToken cancellationToken)
    {
        if (store.FindLink(repository.Key, digest) is { Held: true, Blob: not null })
        {
            return null;
        }

        try
        {
            var answer = await blobs.OpenAsync(repository, digest, TransferPriority.Completion, cancellationToken);
            if (answer is not RemoteAnswer<BlobSource>.Found(var source))
            {
                return (answer as RemoteAnswer<BlobSource>.Failed)?.Failure.Why;
            }

            await using (source)
            {
                await ((source as BlobSource.Downloading)?.Follower.VerifiedAsync(cancellationToken) ?? Task.CompletedTask);
                return null;
            }
        }
        catch (DownloadFailedException e) when (e.Fault is not DownloadFault.Store)
        {
            return e.Message;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The rest of {Repository}@{Digest} could not be fetched: {Why}")]
    private partial void LogIncomplete(RepositoryKey repository, Digest digest, string why);
}
