using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>Manifests by digest: from memory, from disk, or from upstream, which is asked once however many need one.</summary>
public sealed partial class ManifestCache(Store store, MirrorMetrics metrics, ILogger<ManifestCache> logger, CancellationToken stopping)
{
    private const long MemoryLimit = 64 * 1024 * 1024;

    private readonly ManifestMemory _memory = new(MemoryLimit);
    private readonly SharedRequests<(RepositoryKey, Digest), RemoteAnswer<Manifest>> _requests = new();

    public async Task<RemoteAnswer<Manifest>> GetAsync(UpstreamRepository repository, Digest digest, CancellationToken cancellationToken)
    {
        if (_memory.Find(repository.Key, digest) is { } manifest)
        {
            metrics.CacheRequest("manifest", "hit");
            return manifest;
        }

        return await _requests.AskAsync((repository.Key, digest), () => GetFromStoreOrUpstreamAsync(repository, digest), cancellationToken);
    }

    /// <summary>What a manifest is, where it is here: it need not be read for that.</summary>
    public Descriptor? FindDescriptor(UpstreamRepository repository, Digest digest) =>
        _memory.Find(repository.Key, digest)?.Descriptor
        ?? (store.Metadata.FindLink(repository.Key, digest) is { Held: true, Blob: not null } link && MediaTypes.IsManifest(link.Descriptor.MediaType)
            ? link.Descriptor
            : null);

    /// <summary>
    /// Keeps a manifest that upstream gave, with the tags that it says point to it. It is durable when this is done. A store that can not
    /// take it costs the copy, not the answer.
    /// </summary>
    public async Task KeepAsync(UpstreamRepository repository, Manifest manifest, params IReadOnlyList<TagSighting> tags)
    {
        _memory.Add(repository.Key, manifest);
        try
        {
            var blob = store.Metadata.FindBlob(manifest.Digest) ?? store.Blobs.Publish(manifest.Digest, manifest.Content.Span);
            await store.Metadata.RecordManifestAsync(repository.Key, repository.Upstream.IsGuarded, manifest, blob, tags);
        }
        catch (Exception e)
        {
            LogNotKept(e, manifest.Digest, repository.Key);
        }
    }

    /// <summary>Waits for the questions that are still open; nobody may ask any more.</summary>
    public Task DrainAsync() => _requests.DrainAsync();

    private async Task<RemoteAnswer<Manifest>> GetFromStoreOrUpstreamAsync(UpstreamRepository repository, Digest digest)
    {
        if (await FindInStoreAsync(repository, digest) is { } stored)
        {
            _memory.Add(repository.Key, stored);
            metrics.CacheRequest("manifest", "hit");
            return stored;
        }

        var answer = await repository.Upstream.GetManifestAsync(repository.Name, digest, stopping);
        metrics.CacheRequest("manifest", answer is RemoteAnswer<Manifest>.Found ? "miss" : "failed");
        if (answer is RemoteAnswer<Manifest>.Found(var manifest))
        {
            await KeepAsync(repository, manifest);
        }

        return answer;
    }

    private async Task<Manifest?> FindInStoreAsync(UpstreamRepository repository, Digest digest)
    {
        if (store.Metadata.FindLink(repository.Key, digest) is not { Held: true, Blob: { Size: <= Manifest.MaxSize } record } link
            || !MediaTypes.IsManifest(link.Descriptor.MediaType))
        {
            return null;
        }

        try
        {
            using var blob = store.Blobs.TryOpen(record) ?? throw new BlobDamagedException(digest, block: 0);
            return Manifest.TryParse(blob.ReadWhole(), link.Descriptor.MediaType, digest.Algorithm, out var manifest, out _) ? manifest : null;
        }
        catch (BlobDamagedException e)
        {
            LogDamaged(e, repository.Key);
            metrics.DamageFound();
            await store.Metadata.ForgetBlobAsync(digest);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The manifest {Digest} of {Repository} could not be kept")]
    private partial void LogNotKept(Exception exception, Digest digest, RepositoryKey repository);

    [LoggerMessage(Level = LogLevel.Error, Message = "A manifest of {Repository} is damaged and will be fetched again")]
    private partial void LogDamaged(Exception exception, RepositoryKey repository);
}
