using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Sync.Repositories;

namespace Mirror.Replication;

/// <summary>
/// An upstream's repositories as the cache has them, to be kept warm: what a run fetches is kept as if a client had pulled it. Blobs are
/// fetched by the cache itself, together with the clients who ask for them meanwhile.
/// </summary>
/// <remarks>Made for one run: whatever upstream says to the run is said later than this was made.</remarks>
public sealed class CachedRepositories(Upstream upstream, PullThrough cache, Leases leases, TimeProvider time) : ITargetRegistry
{
    private readonly DateTimeOffset _begunAt = time.GetUtcNow();

    /// <summary>Not the upstream's own: two upstreams may have repositories of one name.</summary>
    public string Name => $"the cache of {upstream.Name}";

    /// <summary>A blob takes a connection to the source and nothing else.</summary>
    public int Transfers => int.MaxValue;

    public bool IsHere => true;

    public string? FindFault(RepositoryName repository) => upstream.Allows(repository)
        ? null
        : $"{repository} is not pulled through this mirror: list it under allow of {upstream.Name}";

    public ITargetRepository GetTarget(RepositoryName repository) =>
        new Repository(new UpstreamRepository(upstream, repository), cache, leases, _begunAt);

    private sealed class Repository(UpstreamRepository repository, PullThrough cache, Leases leases, DateTimeOffset begunAt)
        : ITargetRepository
    {
        public RepositoryName Name => repository.Name;

        /// <summary>Found where the image is here whole: what was evicted is to be fetched again.</summary>
        public Task<RemoteAnswer<ResolvedTag>> ResolveAsync(Reference reference, Digest? known, CancellationToken cancellationToken) =>
            OurStore.AskAsync<ResolvedTag>(async () => await cache.Images.FindWholeAsync(repository.Key, reference) is { } manifest
                ? new ResolvedTag(manifest.Descriptor, manifest)
                : new RemoteFailure.Missing($"{reference} is not in the cache, or not all of it"));

        public Task<RemoteAnswer<Manifest>> GetManifestAsync(Digest digest, CancellationToken cancellationToken) =>
            OurStore.AskAsync<Manifest>(async () => await cache.Images.FindManifestAsync(repository.Key, digest) is { } manifest
                ? manifest
                : new RemoteFailure.Missing($"{digest} is not in the cache"));

        public Task<RemoteAnswer<bool>> HasBlobAsync(Digest digest, CancellationToken cancellationToken) => OurStore.Ask<bool>(() =>
        {
            leases.Take(digest);
            return cache.Images.IsHere(repository.Key, digest);
        });

        /// <summary>What is here of another repository upstream has to confirm for this one, which fetching does.</summary>
        public Task<RemoteAnswer<MountedBlob>> MountAsync(Digest digest, RepositoryName from, CancellationToken cancellationToken) =>
            Task.FromResult<RemoteAnswer<MountedBlob>>(new MountedBlob(IsMounted: false, Upload: null));

        public async Task<RemoteAnswer<PushedBlob>?> TryFetchBlobAsync(
            Descriptor blob, Action<int> received, CancellationToken cancellationToken) => await OurStore.AskAsync<PushedBlob>(async () =>
        {
            leases.Take(blob.Digest);
            await AskIfPublicAsync(new RepositoryContent.OfBlob(blob.Digest), cancellationToken);
            var sum = 0L;
            return await cache.WholeBlob.FetchAsync(repository, blob.Digest, TransferPriority.Sync, Count, cancellationToken)
                is RemoteAnswer<bool>.Failed(var failure)
                ? failure
                : new PushedBlob(sum);

            // A download that begins once more has less than it had.
            void Count(long written)
            {
                while (sum < written)
                {
                    var more = (int)Math.Min(written - sum, int.MaxValue);
                    sum += more;
                    received(more);
                }
            }
        });

        public Task<RemoteAnswer<PushedBlob>> PushBlobAsync(
            Descriptor blob, OpenContent open, RemoteUpload? begun, Action<RemoteUpload> reached, CancellationToken cancellationToken) =>
            throw new NotSupportedException("The cache fetches by itself.");

        public async Task<RemoteAnswer<Descriptor>> PutManifestAsync(
            Reference reference, Manifest manifest, CancellationToken cancellationToken)
        {
            leases.Take(manifest.Digest);
            await AskIfPublicAsync(new RepositoryContent.OfManifest(reference), cancellationToken);
            var sighting = reference.Tag is { } tag ? new TagSighting(tag, begunAt) : null;
            return await cache.Tags.TryKeepAsync(repository, manifest, sighting)
                ? manifest.Descriptor
                : new RemoteFailure.Unavailable(UnavailableReason.ServerError, $"this mirror could not store {manifest.Digest}");
        }

        public async Task ConfirmTagAsync(Tag tag, Digest digest, CancellationToken cancellationToken)
        {
            await AskIfPublicAsync(new RepositoryContent.OfManifest(tag), cancellationToken);
            await cache.Tags.ConfirmAsync(repository, new TagSighting(tag, begunAt), digest);
        }

        public void NoteReferrers(Digest subject, IReadOnlyList<Descriptor> referrers) =>
            cache.Referrers.Note(repository, subject, referrers, begunAt);

        public Task<RemoteFailure?> DeleteTagAsync(Tag tag, CancellationToken cancellationToken) => Task.FromResult<RemoteFailure?>(
            new RemoteFailure.Refused(RefusalReason.Unsupported, "nothing is deleted in the cache, which follows the registry by itself"));

        /// <summary>Whatever the answer is: without it nothing could be shown to a client while upstream is down.</summary>
        private async Task AskIfPublicAsync(RepositoryContent wanted, CancellationToken cancellationToken)
        {
            if (repository.Upstream.IsGuarded)
            {
                await cache.PublicRepositories.IsPublicAsync(repository, wanted, cancellationToken);
            }
        }
    }
}
