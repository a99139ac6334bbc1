using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>
/// A repository of our own. What is not in it is nowhere else. What the disk has lost or changed is an outage to who wants to read it; to who asks
/// whether it is here it is not, so that clients push it again.
/// </summary>
internal sealed class LocalRepository(RepositoryName name, Store store, BlobCache blobs) : IRepository
{
    private readonly RepositoryKey _key = RepositoryKey.Local(name);

    public Task<RemoteAnswer<BlobSize>> HeadBlobAsync(Digest digest, CancellationToken cancellationToken) =>
        Task.FromResult<RemoteAnswer<BlobSize>>(FindOpenable(digest) is { Blob: { } blob } ? new BlobSize(blob.Size) : NoBlob());

    public Task<RemoteAnswer<BlobSource>> OpenBlobAsync(Digest digest, CancellationToken cancellationToken)
    {
        var link = store.Metadata.FindLink(_key, digest);
        return Task.FromResult<RemoteAnswer<BlobSource>>(link is null ? NoBlob() : new BlobSource.OnDisk(Open(link)));
    }

    /// <summary>Nobody else has it, until somebody pushes it again.</summary>
    public async Task<bool> TryReplaceAsync(BlobDamagedException damage)
    {
        await blobs.ForgetDamagedAsync(damage);
        return false;
    }

    public async Task<RemoteAnswer<Tagged<Manifest>>> GetManifestAsync(Reference reference, CancellationToken cancellationToken)
    {
        try
        {
            return Read(reference);
        }
        catch (BlobDamagedException damage)
        {
            await TryReplaceAsync(damage);
            throw;
        }
    }

    public Task<RemoteAnswer<Tagged<Descriptor>>> HeadManifestAsync(Reference reference, CancellationToken cancellationToken) =>
        Task.FromResult<RemoteAnswer<Tagged<Descriptor>>>(
            FindDigest(reference) is { } digest && FindOpenable(digest) is { } link && MediaTypes.IsManifest(link.Descriptor.MediaType)
            ? new Tagged<Descriptor>(link.Descriptor, Stale: false)
            : NoManifest());

    public Task<RemoteAnswer<Tagged<TagPage>>> ListTagsAsync(int n, string? last, CancellationToken cancellationToken)
    {
        // One more than asked for tells whether there is another page.
        var found = store.Metadata.ListTags(_key, n + 1, last);
        return Task.FromResult<RemoteAnswer<Tagged<TagPage>>>(found.Count == 0 && !store.Metadata.Local.Exists(name)
            ? new RemoteFailure.Missing("nothing has been pushed to this repository")
            : new Tagged<TagPage>(new TagPage([.. found.Take(n)], More: found.Count > n), Stale: false));
    }

    public Task<RemoteAnswer<Tagged<ReferrersPage>>> ListReferrersAsync(
        Digest subject, string? artifactType, int n, string? last, CancellationToken cancellationToken)
    {
        var (items, more) = store.Metadata.Local.ListReferrers(name, subject, artifactType, n, last);
        return Task.FromResult<RemoteAnswer<Tagged<ReferrersPage>>>(new Tagged<ReferrersPage>(new ReferrersPage(items, more), Stale: false));
    }

    private static RemoteFailure.Missing NoBlob() => new("the blob was not pushed to this repository");

    private static RemoteFailure.Missing NoManifest() => new("the manifest was not pushed to this repository");

    /// <summary>A client is told what is found, and may refer to it.</summary>
    private Link? FindOpenable(Digest digest)
    {
        if (store.Metadata.FindLink(_key, digest) is not { Blob: { } blob } link || !store.Blobs.CanBeOpened(blob))
        {
            return null;
        }

        store.Leases.Take(digest);
        return link;
    }

    /// <summary>It was pushed, and has not been deleted: that it is not there is no answer to who wants to read it.</summary>
    private PublishedBlob Open(Link link)
    {
        var digest = link.Descriptor.Digest;
        store.Leases.Take(digest);
        return (link.Blob is { } blob ? store.Blobs.TryOpen(blob) : null) ?? throw new BlobDamagedException(digest, block: 0);
    }

    private Digest? FindDigest(Reference reference) => reference.Tag is { } tag ? store.Metadata.FindTag(_key, tag)?.Digest : reference.Digest;

    private RemoteAnswer<Tagged<Manifest>> Read(Reference reference)
    {
        if (FindDigest(reference) is not { } digest
            || store.Metadata.FindLink(_key, digest) is not { } link
            || !MediaTypes.IsManifest(link.Descriptor.MediaType))
        {
            return NoManifest();
        }

        using var blob = Open(link);
        return Manifest.TryParse(blob.ReadWhole(), link.Descriptor.MediaType, digest.Algorithm, out var manifest, out var fault)
            ? new Tagged<Manifest>(manifest, Stale: false)
            : throw new InvalidDataException($"what is stored as {digest} is no manifest: {fault}");
    }
}
