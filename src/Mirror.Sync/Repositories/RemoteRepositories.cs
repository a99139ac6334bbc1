using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Sync.Repositories;

/// <summary>
/// A remote registry's repositories. The registry is the same object that others pull through, so that its limits are shared.
/// </summary>
public sealed class RemoteRepositories(RemoteRegistry registry, TimeProvider time) : ISourceRegistry, ITargetRegistry
{
    private readonly Patience _patience = new(time);

    public string Name => registry.Name;

    public string Address => registry.Url.AbsoluteUri;

    public int Transfers => registry.SpareConnections;

    public RateLimit? Quota => registry.RateLimit;

    public Task<RemoteAnswer<IReadOnlyList<RepositoryName>>> ListRepositoriesAsync(CancellationToken cancellationToken) =>
        _patience.AskAsync(() => registry.Listings.ListAllRepositoriesAsync(cancellationToken), cancellationToken);

    public ISourceRepository GetSource(RepositoryName repository) => new Repository(registry, repository, _patience, isTarget: false);

    public ITargetRepository GetTarget(RepositoryName repository) => new Repository(registry, repository, _patience, isTarget: true);

    private sealed class Repository(RemoteRegistry registry, RepositoryName name, Patience patience, bool isTarget)
        : ISourceRepository, ITargetRepository
    {
        public RepositoryName Name => name;

        public Task<RemoteAnswer<ResolvedTag>> ResolveAsync(Reference reference, KnownTag? known, CancellationToken cancellationToken) =>
            patience.AskAsync(
                () => registry.ResolveAsync(name, reference, known, RemotePatience.Retry, cancellationToken, believesMissing: isTarget),
                cancellationToken);

        public Task<RemoteAnswer<Manifest>> GetManifestAsync(Digest digest, CancellationToken cancellationToken) =>
            patience.AskAsync(() => registry.GetManifestAsync(name, digest, cancellationToken), cancellationToken);

        public Task<RemoteAnswer<IReadOnlyList<Tag>>> ListTagsAsync(CancellationToken cancellationToken) =>
            patience.AskAsync(() => registry.Listings.ListAllTagsAsync(name, cancellationToken), cancellationToken);

        public Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListReferrersAsync(Digest subject, CancellationToken cancellationToken) =>
            patience.AskAsync(() => registry.Listings.ListAllReferrersAsync(name, subject, cancellationToken), cancellationToken);

        public Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListReferrersAsync(
            Digest subject, IReadOnlySet<Tag> tags, CancellationToken cancellationToken) =>
            patience.AskAsync(() => registry.Listings.ListAllReferrersAsync(name, subject, cancellationToken, tags), cancellationToken);

        public async Task<RemoteAnswer<Stream>> OpenBlobAsync(Digest digest, long offset, CancellationToken cancellationToken)
        {
            var transfer = registry.StartTransfer(TransferPriority.Sync);
            var answer = await patience.AskAsync(
                () => registry.OpenBlobAsync(name, digest, offset, transfer, cancellationToken), cancellationToken);
            return answer is RemoteAnswer<RemoteBlob>.Found(var blob)
                ? new RemoteBlobStream(blob, offset - blob.Offset)
                : ((RemoteAnswer<RemoteBlob>.Failed)answer).Failure;
        }

        public async Task<RemoteAnswer<bool>> HasBlobAsync(Digest digest, CancellationToken cancellationToken) =>
            await patience.AskAsync(() => registry.HeadBlobAsync(name, digest, cancellationToken), cancellationToken) switch
            {
                RemoteAnswer<BlobSize>.Failed(RemoteFailure.Missing) => false,
                RemoteAnswer<BlobSize>.Failed(var failure) => failure,
                _ => true,
            };

        public Task<RemoteAnswer<MountedBlob>> MountAsync(Digest digest, RepositoryName from, CancellationToken cancellationToken) =>
            patience.AskAsync(() => registry.Uploads.MountAsync(name, digest, from, cancellationToken), cancellationToken);

        public Task<RemoteAnswer<PushedBlob>> PushBlobAsync(
            Descriptor blob, OpenContent open, RemoteUpload? begun, Action<RemoteUpload> reached, CancellationToken cancellationToken)
        {
            var transfer = registry.StartTransfer(TransferPriority.Sync);
            return registry.Uploads.PushAsync(name, blob, open, transfer, begun, reached, cancellationToken);
        }

        public Task<RemoteAnswer<Descriptor>> PutManifestAsync(
            Reference reference, Manifest manifest, CancellationToken cancellationToken) =>
            patience.AskAsync(() => registry.Manifests.PutAsync(name, reference, manifest, cancellationToken), cancellationToken);

        public async Task<RemoteFailure?> DeleteTagAsync(Tag tag, CancellationToken cancellationToken)
        {
            var answer = await patience.AskAsync(
                async () =>
                    await registry.Manifests.DeleteTagAsync(name, tag, cancellationToken) is { } failure ? failure : (RemoteAnswer<Tag>)tag,
                cancellationToken);
            return (answer as RemoteAnswer<Tag>.Failed)?.Failure;
        }
    }
}
