using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>An upstream's repository, read through the caches.</summary>
internal sealed class CachedRepository(UpstreamRepository repository, PullThrough cache, Leases leases) : IRepository
{
    public async Task<RemoteAnswer<BlobSize>> HeadBlobAsync(Digest digest, CancellationToken cancellationToken)
    {
        var answer = await cache.Blobs.HeadAsync(repository, digest, cancellationToken);
        if (answer is RemoteAnswer<BlobSize>.Found)
        {
            leases.Take(digest);
        }

        return answer;
    }

    public async Task<RemoteAnswer<BlobSource>> OpenBlobAsync(Digest digest, CancellationToken cancellationToken)
    {
        var answer = await cache.Blobs.OpenAsync(repository, digest, TransferPriority.Client, cancellationToken);
        if (answer is RemoteAnswer<BlobSource>.Found)
        {
            leases.Take(digest);
            cache.Completion.BlobRead(repository, digest);
        }

        return answer;
    }

    public async Task<bool> TryReplaceAsync(BlobDamagedException damage)
    {
        await cache.Blobs.ForgetDamagedAsync(damage);
        return true;
    }

    public async Task<RemoteAnswer<Tagged<Manifest>>> GetManifestAsync(Reference reference, CancellationToken cancellationToken)
    {
        var answer = reference.Tag is { } tag
            ? await cache.Tags.GetAsync(repository, tag, cancellationToken)
            : NotStale(await cache.Tags.GetByDigestAsync(repository, reference.Digest.GetValueOrDefault(), cancellationToken));
        if (answer is RemoteAnswer<Tagged<Manifest>>.Found(var (manifest, _)))
        {
            leases.Take(manifest.Digest);
            // Before the client has it, and asks for what it says.
            cache.Completion.ManifestRead(repository, manifest);
        }

        return answer;
    }

    /// <summary>A digest that is asked for by HEAD is asked for by GET next: it is fetched.</summary>
    public async Task<RemoteAnswer<Tagged<Descriptor>>> HeadManifestAsync(Reference reference, CancellationToken cancellationToken)
    {
        var answer = reference.Tag is { } tag
            ? await cache.Tags.HeadAsync(repository, tag, cancellationToken)
            : Described(await cache.Tags.GetByDigestAsync(repository, reference.Digest.GetValueOrDefault(), cancellationToken));
        if (answer is RemoteAnswer<Tagged<Descriptor>>.Found(var (descriptor, _)))
        {
            leases.Take(descriptor.Digest);
        }

        return answer;
    }

    public Task<RemoteAnswer<Tagged<TagPage>>> ListTagsAsync(int n, string? last, CancellationToken cancellationToken) =>
        cache.Tags.ListAsync(repository, n, last, cancellationToken);

    public async Task<RemoteAnswer<Tagged<ReferrersPage>>> ListReferrersAsync(
        Digest subject, string? artifactType, int n, string? last, CancellationToken cancellationToken)
    {
        switch (await cache.Referrers.GetAsync(repository, subject, cancellationToken))
        {
            case RemoteAnswer<Tagged<IReadOnlyList<Descriptor>>>.Found(var (all, stale)):
                var wanted = all.Where(referrer => artifactType is null || referrer.ArtifactType == artifactType).ToList();
                // Behind one that is gone by now comes everything: better twice than not at all.
                var rest = wanted[(wanted.FindIndex(referrer => referrer.Digest.ToString() == last) + 1)..];
                return new Tagged<ReferrersPage>(new ReferrersPage([.. rest.Take(n)], More: rest.Count > n), stale);

            case RemoteAnswer<Tagged<IReadOnlyList<Descriptor>>>.Failed(var failure):
                return failure;

            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    private static RemoteAnswer<Tagged<Manifest>> NotStale(RemoteAnswer<Manifest> answer) => answer switch
    {
        RemoteAnswer<Manifest>.Found(var manifest) => new Tagged<Manifest>(manifest, Stale: false),
        RemoteAnswer<Manifest>.Failed(var failure) => failure,
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static RemoteAnswer<Tagged<Descriptor>> Described(RemoteAnswer<Manifest> answer) => answer switch
    {
        RemoteAnswer<Manifest>.Found(var manifest) => new Tagged<Descriptor>(manifest.Descriptor, Stale: false),
        RemoteAnswer<Manifest>.Failed(var failure) => failure,
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
