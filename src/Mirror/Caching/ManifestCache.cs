using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>Manifests by digest: from memory, from disk, or from upstream, which is asked once however many need one.</summary>
public sealed partial class ManifestCache(CacheStore store, MirrorMetrics metrics, ILogger<ManifestCache> logger, CancellationToken stopping)
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
        ?? (store.FindLink(repository.Key, digest) is { Held: true, Blob: not null } link && MediaTypes.IsManifest(link.Descriptor.MediaType)
            ? link.Descriptor
            : null);

    /// <summary>
    /// Keeps a manifest that upstream gave, with the tags that it says point to it. It is durable when this is done. A store that can not
    /// take it costs the copy, not the answer.
    /// </summary>
    /// <returns>Whether it is here.</returns>
    public Task<bool> KeepAsync(UpstreamRepository repository, Manifest manifest, params IReadOnlyList<TagSighting> tags)
    {
        _memory.Add(repository.Key, manifest);
        return store.TryKeepAsync(repository.Key, repository.Upstream.IsGuarded, manifest, tags);
    }

    /// <summary>A manifest that is on disk; upstream is not asked, and memory is left to those that clients ask for.</summary>
    public async Task<Manifest?> FindStoredAsync(RepositoryKey repository, Digest digest)
    {
        if (store.FindLink(repository, digest) is not { Held: true, Blob: { Size: <= Manifest.MaxSize } record } link
            || !MediaTypes.IsManifest(link.Descriptor.MediaType))
        {
            return null;
        }

        try
        {
            using var blob = store.TryOpen(record, out var isGone);
            if (blob is null)
            {
                return isGone ? throw new BlobDamagedException(digest, block: 0) : null;
            }

            return Manifest.TryParse(blob.ReadWhole(), link.Descriptor.MediaType, digest.Algorithm, out var manifest, out _)
                ? manifest
                : null;
        }
        catch (BlobDamagedException e)
        {
            LogDamaged(e, repository);
            metrics.DamageFound();
            await store.ForgetBlobAsync(digest);
            return null;
        }
    }

    /// <summary>Forgets what is in memory of a repository.</summary>
    public void Forget(RepositoryKey repository) => _memory.RemoveOf(repository);

    /// <summary>Waits for the questions that are still open; nobody may ask any more.</summary>
    public Task DrainAsync() => _requests.DrainAsync();

    private async Task<RemoteAnswer<Manifest>> GetFromStoreOrUpstreamAsync(UpstreamRepository repository, Digest digest)
    {
        if (await FindStoredAsync(repository.Key, digest) is { } stored)
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

    [LoggerMessage(Level = LogLevel.Error, Message = "A manifest of {Repository} is damaged and will be fetched again")]
    private partial void LogDamaged(Exception exception, RepositoryKey repository);
}
