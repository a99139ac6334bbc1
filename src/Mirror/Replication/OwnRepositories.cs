using Mirror.Caching;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Sync.Repositories;

namespace Mirror.Replication;

/// <summary>The repositories that are this mirror's own, as a side of a job.</summary>
/// <param name="store">Where they are.</param>
/// <param name="own">Takes what is copied to them.</param>
/// <param name="uploads">Those of clients are among them too.</param>
/// <param name="blobs">Told of content that the disk has changed.</param>
/// <param name="isOwnName">Whether a repository of this name is our own.</param>
/// <param name="time">The clock.</param>
public sealed class OwnRepositories(
    Store store, LocalRepositories own, Uploads uploads, BlobCache blobs, Func<RepositoryName, bool> isOwnName, TimeProvider time)
    : ISourceRegistry, ITargetRegistry
{
    private const int PageSize = 1000;

    private readonly Store _store = store;
    private readonly LocalRepositories _own = own;
    private readonly Uploads _uploads = uploads;
    private readonly BlobCache _blobs = blobs;
    private readonly TimeProvider _time = time;

    public string Name => "local";

    /// <summary>Each has a file open and a block in memory.</summary>
    public int Transfers => 32;

    public bool IsHere => true;

    public RateLimit? Quota => null;

    public Task<RemoteAnswer<IReadOnlyList<RepositoryName>>> ListRepositoriesAsync(CancellationToken cancellationToken) =>
        OurStore.Ask<IReadOnlyList<RepositoryName>>(() => ReadPages<RepositoryName>(
            last => _store.Metadata.Local.ListRepositories(PageSize, last?.ToString() ?? ""), cancellationToken));

    public string? FindFault(RepositoryName repository) =>
        isOwnName(repository) ? null : $"{repository} is not one of this registry's own names: list it under local";

    public ISourceRepository GetSource(RepositoryName repository) => new Repository(this, repository);

    public ITargetRepository GetTarget(RepositoryName repository) => new Repository(this, repository);

    private static List<T> ReadPages<T>(Func<T?, IReadOnlyList<T>> read, CancellationToken cancellationToken)
        where T : struct
    {
        var all = new List<T>();
        while (read(all.Count > 0 ? all[^1] : null) is { Count: > 0 } page)
        {
            cancellationToken.ThrowIfCancellationRequested();
            all.AddRange(page);
        }

        return all;
    }

    private sealed class Repository(OwnRepositories registry, RepositoryName name) : ISourceRepository, ITargetRepository
    {
        private readonly RepositoryKey _key = RepositoryKey.Local(name);

        public RepositoryName Name => name;

        private Store Store => registry._store;

        private LocalRepositories Own => registry._own;

        /// <summary>
        /// A tag is found where its manifest can be opened, and a digest where that and all blobs of the image can: what the disk has lost is to be
        /// copied again.
        /// </summary>
        public Task<RemoteAnswer<ResolvedTag>> ResolveAsync(Reference reference, Digest? known, CancellationToken cancellationToken) =>
            OurStore.AskAsync<ResolvedTag>(async () =>
            {
                var digest = reference.Tag is { } tag ? Own.FindTag(name, tag) : reference.Digest;
                return digest is { } found && FindManifest(found) is { } descriptor && (reference.Tag is not null || await IsWholeAsync(found))
                    ? new ResolvedTag(descriptor, Manifest: null)
                    : new RemoteFailure.Missing($"{reference} is not in this registry's {name}, or not all of it");
            });

        public Task<RemoteAnswer<Manifest>> GetManifestAsync(Digest digest, CancellationToken cancellationToken) =>
            OurStore.AskAsync(() => ReadManifestAsync(digest));

        public Task<RemoteAnswer<IReadOnlyList<Tag>>> ListTagsAsync(CancellationToken cancellationToken) =>
            OurStore.Ask<IReadOnlyList<Tag>>(() =>
            {
                var tags = ReadPages<Tag>(last => Store.Metadata.ListTags(_key, PageSize, last?.ToString()), cancellationToken);
                return tags.Count > 0 || Store.Metadata.Local.Exists(name)
                    ? tags
                    : new RemoteFailure.Missing($"nothing has been pushed to this registry's {name}");
            });

        public Task<RemoteAnswer<Stream>> OpenBlobAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
            OurStore.Ask<Stream>(() => Store.Metadata.FindLink(_key, digest) is { } link
                ? new PublishedBlobStream(Open(link), offset, registry._blobs.ForgetDamagedAsync)
                : new RemoteFailure.Missing($"{digest} is not in this registry's {name}"));

        public Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListReferrersAsync(Digest subject, CancellationToken cancellationToken) =>
            OurStore.Ask<IReadOnlyList<Descriptor>>(() =>
            {
                var all = new List<Descriptor>();
                for (var more = true; more;)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    (var page, more) = Store.Metadata.Local.ListReferrers(
                        name, subject, artifactType: null, PageSize, all.Count > 0 ? all[^1].Digest.ToString() : null);
                    all.AddRange(page);
                }

                return all;
            });

        public Task<RemoteAnswer<bool>> HasBlobAsync(Digest digest, CancellationToken cancellationToken) => OurStore.Ask<bool>(() =>
        {
            Store.Leases.Take(digest);
            return Own.FindOpenable(name, digest) is not null;
        });

        public Task<RemoteAnswer<MountedBlob>> MountAsync(Digest digest, RepositoryName from, CancellationToken cancellationToken) =>
            OurStore.AskAsync<MountedBlob>(async () => registry.FindFault(name) is { } fault
                ? new RemoteFailure.Refused(RefusalReason.Invalid, fault)
                : new MountedBlob(await Own.TryMountAsync(name, digest, [from]), Upload: null));

        public Task<RemoteAnswer<PushedBlob>> PushBlobAsync(
            Descriptor blob, OpenContent open, RemoteUpload? begun, Action<RemoteUpload> reached, CancellationToken cancellationToken) =>
            registry.FindFault(name) is { } fault
                ? Task.FromResult<RemoteAnswer<PushedBlob>>(new RemoteFailure.Refused(RefusalReason.Invalid, fault))
                : new OwnUpload(Own, registry._uploads, name, blob, open, registry._time).RunAsync(begun, reached, cancellationToken);

        public Task<RemoteAnswer<Descriptor>> PutManifestAsync(Reference reference, Manifest manifest, CancellationToken cancellationToken) =>
            OurStore.AskAsync<Descriptor>(async () =>
            {
                if (registry.FindFault(name) is { } fault)
                {
                    return new RemoteFailure.Refused(RefusalReason.Invalid, fault);
                }

                IReadOnlyList<Tag> tags = reference.Tag is { } tag ? [tag] : [];
                return await Own.PushManifestAsync(name, manifest.Content, manifest.MediaType, reference.Digest ?? manifest.Digest, tags, lender: null) switch
                {
                    PushAnswer.Pushed => manifest.Descriptor,
                    PushAnswer.Lacking({ IsThere: false, Content: var content }) => new RemoteFailure.Refused(
                        RefusalReason.ContentUnknown, $"{content.Digest} is not in this registry's {name}"),
                    PushAnswer.Lacking({ Content: var content }) => new RemoteFailure.Refused(
                        RefusalReason.Invalid, $"{content.Digest} has another size than the manifest's {content.Size}"),
                    PushAnswer.OtherDigest(var actual) => new RemoteFailure.Refused(
                        RefusalReason.WrongDigest, $"the manifest's digest is {actual}"),
                    PushAnswer.Invalid(var why) => new RemoteFailure.Refused(RefusalReason.Invalid, why),
                    _ => throw new System.Diagnostics.UnreachableException(),
                };
            });

        public async Task<RemoteFailure?> DeleteTagAsync(Tag tag, CancellationToken cancellationToken)
        {
            var answer = await OurStore.AskAsync<Tag>(async () => await Store.Metadata.Local.RemoveTagAsync(name, tag) is null
                ? new RemoteFailure.Missing($"this registry's {name} has no tag {tag}")
                : tag);
            return (answer as RemoteAnswer<Tag>.Failed)?.Failure;
        }

        private Descriptor? FindManifest(Digest digest)
        {
            if (Store.Metadata.FindLink(_key, digest) is not { Blob: { } blob } link
                || !MediaTypes.IsManifest(link.Descriptor.MediaType)
                || !Store.Blobs.CanBeOpened(blob))
            {
                return null;
            }

            Store.Leases.Take(digest);
            return link.Descriptor;
        }

        private async Task<bool> IsWholeAsync(Digest digest) =>
            await ReadManifestAsync(digest) is RemoteAnswer<Manifest>.Found(var manifest)
            && manifest.View().Blobs.All(blob => MediaTypes.IsForeignLayer(blob.MediaType) || Own.FindOpenable(name, blob.Digest) is not null);

        private async Task<RemoteAnswer<Manifest>> ReadManifestAsync(Digest digest)
        {
            if (Store.Metadata.FindLink(_key, digest) is not { } link || !MediaTypes.IsManifest(link.Descriptor.MediaType))
            {
                return new RemoteFailure.Missing($"{digest} is not in this registry's {name}");
            }

            try
            {
                using var blob = Open(link);
                return Manifest.TryParse(blob.ReadWhole(), link.Descriptor.MediaType, digest.Algorithm, out var manifest, out var fault)
                    ? manifest
                    : new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"what is stored as {digest} is no manifest: {fault}");
            }
            catch (BlobDamagedException e)
            {
                await registry._blobs.ForgetDamagedAsync(e);
                return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, e.Message);
            }
        }

        /// <exception cref="IOException">It was pushed, and the disk has lost it.</exception>
        private PublishedBlob Open(Link link)
        {
            var digest = link.Descriptor.Digest;
            Store.Leases.Take(digest);
            return (link.Blob is { } blob ? Store.Blobs.TryOpen(blob) : null)
                ?? throw new BlobDamagedException(digest, block: 0);
        }
    }
}
