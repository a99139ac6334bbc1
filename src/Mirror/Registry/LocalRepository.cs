using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>A repository of our own. What is not in it is nowhere else.</summary>
internal sealed class LocalRepository(RepositoryName name, Store store) : IRepository
{
    private readonly RepositoryKey _key = RepositoryKey.Local(name);

    public Task<RemoteAnswer<BlobSize>> HeadBlobAsync(Digest digest, CancellationToken cancellationToken) =>
        Task.FromResult<RemoteAnswer<BlobSize>>(Find(digest) is { Blob: { } blob } ? new BlobSize(blob.Size) : NoBlob());

    public Task<RemoteAnswer<BlobSource>> OpenBlobAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (Find(digest) is not { Blob: { } blob })
        {
            return Task.FromResult<RemoteAnswer<BlobSource>>(NoBlob());
        }

        // It was pushed, and has not been deleted: that it is not there is no answer to a client.
        var published = store.Blobs.TryOpen(blob) ?? throw new BlobDamagedException(digest, block: 0);
        return Task.FromResult<RemoteAnswer<BlobSource>>(new BlobSource.OnDisk(published));
    }

    /// <summary>Nobody else has it.</summary>
    public Task<bool> TryReplaceAsync(BlobDamagedException damage) => Task.FromResult(false);

    public Task<RemoteAnswer<Tagged<Manifest>>> GetManifestAsync(Reference reference, CancellationToken cancellationToken) =>
        Task.FromResult(Read(reference));

    public Task<RemoteAnswer<Tagged<Descriptor>>> HeadManifestAsync(Reference reference, CancellationToken cancellationToken) =>
        Task.FromResult<RemoteAnswer<Tagged<Descriptor>>>(FindManifest(reference) is { } link
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
        var found = store.Metadata.Local.ListReferrers(name, subject, artifactType, n + 1, last);
        var page = new ReferrersPage([.. found.Take(n)], More: found.Count > n);
        return Task.FromResult<RemoteAnswer<Tagged<ReferrersPage>>>(new Tagged<ReferrersPage>(page, Stale: false));
    }

    private static RemoteFailure.Missing NoBlob() => new("the blob was not pushed to this repository");

    private static RemoteFailure.Missing NoManifest() => new("the manifest was not pushed to this repository");

    /// <summary>A client is told what is found, and may refer to it.</summary>
    private Link? Find(Digest digest)
    {
        var link = store.Metadata.FindLink(_key, digest);
        if (link?.Blob is not null)
        {
            store.Leases.Take(digest);
        }

        return link;
    }

    private Link? FindManifest(Reference reference)
    {
        var digest = reference.Tag is { } tag ? store.Metadata.FindTag(_key, tag)?.Digest : reference.Digest;
        return digest is { } known && Find(known) is { Blob: not null } link && MediaTypes.IsManifest(link.Descriptor.MediaType) ? link : null;
    }

    private RemoteAnswer<Tagged<Manifest>> Read(Reference reference)
    {
        if (FindManifest(reference) is not { Blob: { } record } link)
        {
            return NoManifest();
        }

        using var blob = store.Blobs.TryOpen(record) ?? throw new BlobDamagedException(record.Digest, block: 0);
        return Manifest.TryParse(blob.ReadWhole(), link.Descriptor.MediaType, record.Digest.Algorithm, out var manifest, out var fault)
            ? new Tagged<Manifest>(manifest, Stale: false)
            : throw new InvalidDataException($"what is stored as {record.Digest} is no manifest: {fault}");
    }
}
