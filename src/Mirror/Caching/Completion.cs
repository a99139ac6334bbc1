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
public sealed partial class Completion(CacheStore store, WholeImage whole, ILogger<Completion> logger, CancellationToken stopping)
{
    private readonly ImagesRead _images = new(20_000);
    private readonly SharedRequests<(RepositoryKey, Digest), bool> _running = new();

    /// <summary>A client is being given a manifest.</summary>
    public void ManifestRead(UpstreamRepository repository, Manifest manifest)
    {
        var limit = repository.Upstream.Complete;
        if (limit > 0 && MediaTypes.IsImage(manifest.MediaType) && !_images.TryTouch(repository.Key, manifest.Digest))
        {
            var view = manifest.View();
            var layers = view.Layers.Where(layer => !MediaTypes.IsForeignLayer(layer.MediaType)).DistinctBy(layer => layer.Digest).ToList();
            var isSmallEnough = layers.Append(view.Config!).Sum(blob => (decimal)blob.Size) <= limit;
            _images.Add(new ReadImage(repository.Key, manifest.Digest, isSmallEnough ? layers.ConvertAll(layer => layer.Digest) : []));
        }
    }

    /// <summary>A client is being given a blob, or a part of it.</summary>
    public void BlobRead(UpstreamRepository repository, Digest digest)
    {
        if (!store.IsInTrouble && _images.TakeByLayer(repository.Key, digest) is { } image)
        {
            _ = _running.Ask((image.Repository, image.Digest), () => TryCompleteAsync(repository, image));
        }
    }

    /// <summary>Images of the repository are completed when their manifests have been read again.</summary>
    public void Forget(RepositoryKey repository) => _images.RemoveOf(repository);

    /// <summary>Waits for what is running; nobody may read any more.</summary>
    public Task DrainAsync() => _running.DrainAsync();

    /// <returns>Whether all of it is here now.</returns>
    private async Task<bool> TryCompleteAsync(UpstreamRepository repository, ReadImage image)
    {
        string? why;
        try
        {
            // What the store can not take would be fetched for nothing.
            using var fetching = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            var fetched = await whole.FetchAsync(repository, image.Digest, platforms: [], _ => CancelInTrouble(fetching), fetching.Token);
            why = fetched.Lacking is [var first, ..] ? first.Why : null;
        }
        catch (OperationCanceledException)
        {
            why = stopping.IsCancellationRequested ? "the mirror is stopping" : "the store is in trouble";
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

    private void CancelInTrouble(CancellationTokenSource fetching)
    {
        if (store.IsInTrouble)
        {
            _ = fetching.CancelAsync();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The rest of {Repository}@{Digest} could not be fetched: {Why}")]
    private partial void LogIncomplete(RepositoryKey repository, Digest digest, string why);
}
