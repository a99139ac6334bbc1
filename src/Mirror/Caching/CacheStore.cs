using System.Collections.Concurrent;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// The store as a cache uses it, for which it is never worth a failure: what can not be read is not known, what can not be written is not
/// kept, and a pull then costs what it would without a cache.
/// </summary>
public sealed class CacheStore(Store store, StoreTrouble trouble)
{
    /// <summary>Damaged content that the index could not be made to forget.</summary>
    private readonly ConcurrentDictionary<Digest, bool> _gone = new();

    /// <inheritdoc cref="StoreTrouble.Any"/>
    public bool IsInTrouble => trouble.Any;

    public Link? FindLink(RepositoryKey repository, Digest digest)
    {
        try
        {
            var link = Worked(store.Metadata.FindLink(repository, digest));
            return link is not null && _gone.ContainsKey(digest) ? link with { Blob = null } : link;
        }
        catch (Exception e) when (IsTrouble(StorePart.ReadingDatabase, e))
        {
            return null;
        }
    }

    public BlobRecord? FindBlob(Digest digest)
    {
        try
        {
            var blob = Worked(store.Metadata.FindBlob(digest));
            return _gone.ContainsKey(digest) ? null : blob;
        }
        catch (Exception e) when (IsTrouble(StorePart.ReadingDatabase, e))
        {
            return null;
        }
    }

    public TagRecord? FindTag(RepositoryKey repository, Tag tag)
    {
        try
        {
            return Worked(store.Metadata.FindTag(repository, tag));
        }
        catch (Exception e) when (IsTrouble(StorePart.ReadingDatabase, e))
        {
            return null;
        }
    }

    public IReadOnlyList<Tag> ListTags(RepositoryKey repository, int n, string? last)
    {
        try
        {
            return Worked(store.Metadata.ListTags(repository, n, last));
        }
        catch (Exception e) when (IsTrouble(StorePart.ReadingDatabase, e))
        {
            return [];
        }
    }

    public DateTimeOffset? FindPublic(RepositoryKey repository)
    {
        try
        {
            return Worked(store.Metadata.FindPublic(repository));
        }
        catch (Exception e) when (IsTrouble(StorePart.ReadingDatabase, e))
        {
            return null;
        }
    }

    /// <summary>Opens published content.</summary>
    /// <returns>Null where it can not be opened.</returns>
    /// <param name="record">What the index says of it.</param>
    /// <param name="isGone">Whether that is because the file is not what the index says; otherwise nothing is known of it.</param>
    public PublishedBlob? TryOpen(BlobRecord record, out bool isGone)
    {
        try
        {
            var published = store.Blobs.TryOpen(record);
            trouble.Over(StorePart.ReadingFiles);
            isGone = published is null;
            return published;
        }
        catch (Exception e) when (IsTrouble(StorePart.ReadingFiles, e))
        {
            isGone = false;
            return null;
        }
    }

    /// <summary>How much an earlier download has left, in bytes.</summary>
    public long FindStaged(string registry, Digest digest) => store.Blobs.FindStaged(registry, digest);

    /// <exception cref="DownloadFailedException">The disk refused.</exception>
    public StagedBlob StageDownload(string registry, Digest digest)
    {
        try
        {
            return store.Blobs.StageDownload(registry, digest);
        }
        catch (Exception e)
        {
            throw NotStored(e);
        }
    }

    /// <summary>A staged file could not be written: for its followers it is the store's failure.</summary>
    public DownloadFailedException NotStored(Exception e)
    {
        trouble.Met(StorePart.WritingFiles, e);
        return new DownloadFailedException(DownloadFault.Store, null, $"the mirror could not store it: {e.Message}");
    }

    /// <summary>Publishes what was downloaded, and records that it is here.</summary>
    /// <returns>Whether it could be.</returns>
    public async Task<bool> TryPublishAsync(RepositoryKey repository, bool isGuarded, StagedBlob staged) =>
        TryWriteFile(staged.Publish) is { } blob && await TryWriteAsync(store.Metadata.RecordBlobAsync(repository, YesHolds(isGuarded), blob));

    /// <summary>Publishes a manifest, and records it with the tags that point to it.</summary>
    public async Task<bool> TryKeepAsync(RepositoryKey repository, bool isGuarded, Manifest manifest, IReadOnlyList<TagSighting> tags) =>
        (FindBlob(manifest.Digest) ?? TryWriteFile(() => store.Blobs.Publish(manifest.Digest, manifest.Content.Span))) is { } blob
        && await TryWriteAsync(store.Metadata.RecordManifestAsync(repository, YesHolds(isGuarded), manifest, blob, tags));

    public Task<bool> TryRecordConfirmedAsync(RepositoryKey repository, bool isGuarded, Descriptor content) =>
        TryWriteAsync(store.Metadata.RecordConfirmedAsync(repository, YesHolds(isGuarded), content));

    public Task<bool> TryRecordTagAsync(RepositoryKey repository, TagSighting tag, Digest digest) =>
        TryWriteAsync(store.Metadata.RecordTagAsync(repository, tag, digest));

    public Task<bool> TryRemoveTagAsync(RepositoryKey repository, TagSighting tag) => TryWriteAsync(store.Metadata.RemoveTagAsync(repository, tag));

    public Task<bool> TryRecordPublicAsync(RepositoryKey repository, DateTimeOffset saidAt) =>
        TryWriteAsync(store.Metadata.RecordPublicAsync(repository, saidAt));

    public Task<bool> TryRemovePublicAsync(RepositoryKey repository) => TryWriteAsync(store.Metadata.RemovePublicAsync(repository));

    /// <summary>Content is damaged or no longer there: it is not found any more, whether that can be written or not.</summary>
    public async Task ForgetBlobAsync(Digest digest)
    {
        if (!await TryWriteAsync(store.Metadata.ForgetBlobAsync(digest)))
        {
            _gone[digest] = true;
        }
    }

    private static TimeSpan? YesHolds(bool isGuarded) => isGuarded ? PublicRepositories.YesHolds : null;

    private T Worked<T>(T answer)
    {
        trouble.Over(StorePart.ReadingDatabase);
        return answer;
    }

    private BlobRecord? TryWriteFile(Func<BlobRecord> write)
    {
        try
        {
            var blob = write();
            trouble.Over(StorePart.WritingFiles);
            _gone.TryRemove(blob.Digest, out _);
            return blob;
        }
        catch (Exception e) when (IsTrouble(StorePart.WritingFiles, e))
        {
            return null;
        }
    }

    private async Task<bool> TryWriteAsync(Task writing)
    {
        try
        {
            await writing;
            trouble.Over(StorePart.WritingDatabase);
            return true;
        }
        catch (Exception e) when (IsTrouble(StorePart.WritingDatabase, e))
        {
            return false;
        }
    }

    /// <summary>A store that has been closed is no trouble: then the mirror is stopping.</summary>
    private bool IsTrouble(StorePart part, Exception e)
    {
        if (e is ObjectDisposedException)
        {
            return false;
        }

        trouble.Met(part, e);
        return true;
    }
}
