using Mirror.Caching;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Sync.Repositories;

namespace Mirror.Replication;

/// <summary>A repository that is this mirror's own, as a side of a job.</summary>
/// <param name="name">Its name.</param>
/// <param name="fault">Why nothing can be put into it; null where something can.</param>
/// <param name="store">Where it is.</param>
/// <param name="own">Takes what is copied to it.</param>
/// <param name="uploads">Those of clients are among them too.</param>
/// <param name="blobs">Told of content that the disk has changed.</param>
/// <param name="time">The clock.</param>
internal sealed class OwnRepository(
    RepositoryName name, string? fault, Store store, LocalRepositories own, Uploads uploads, BlobCache blobs, TimeProvider time)
    : ISourceRepository, ITargetRepository
{
    private readonly RepositoryKey _key = RepositoryKey.Local(name);

    public RepositoryName Name => name;

    /// <summary>
    /// A tag is found where its manifest can be opened, and a digest where that and all blobs of the image can: what the disk has lost is
    /// to be copied again.
    /// </summary>
    public Task<RemoteAnswer<ResolvedTag>> ResolveAsync(Reference reference, Digest? known, CancellationToken cancellationToken) =>
        OurStore.AskAsync<ResolvedTag>(async () =>
        {
            var digest = reference.Tag is { } tag ? own.FindTag(name, tag) : reference.Digest;
            return digest is { } found && FindManifest(found) is { } descriptor && (reference.Tag is not null || await IsWholeAsync(found))
                ? new ResolvedTag(descriptor, Manifest: null)
                : new RemoteFailure.Missing($"{reference} is not in this registry's {name}, or not all of it");
        });

    public Task<RemoteAnswer<Manifest>> GetManifestAsync(Digest digest, CancellationToken cancellationToken) =>
        OurStore.AskAsync(() => ReadManifestAsync(digest));

    public Task<RemoteAnswer<IReadOnlyList<Tag>>> ListTagsAsync(CancellationToken cancellationToken) =>
        OurStore.Ask<IReadOnlyList<Tag>>(() =>
        {
            var tags = OwnRepositories.ReadPages<Tag>(
                last => store.Metadata.ListTags(_key, OwnRepositories.PageSize, last?.ToString()), cancellationToken);
            return tags.Count > 0 || store.Metadata.Local.Exists(name)
                ? tags
                : new RemoteFailure.Missing($"nothing has been pushed to this registry's {name}");
        });

    public Task<RemoteAnswer<Stream>> OpenBlobAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        OurStore.Ask<Stream>(() => store.Metadata.FindLink(_key, digest) is { } link
            ? new PublishedBlobStream(Open(link), offset, blobs.ForgetDamagedAsync)
            : new RemoteFailure.Missing($"{digest} is not in this registry's {name}"));

    public Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListReferrersAsync(Digest subject, CancellationToken cancellationToken) =>
        OurStore.Ask<IReadOnlyList<Descriptor>>(() =>
        {
            var all = new List<Descriptor>();
            for (var more = true; more;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                (var page, more) = store.Metadata.Local.ListReferrers(
                    name, subject, artifactType: null, OwnRepositories.PageSize, all.Count > 0 ? all[^1].Digest.ToString() : null);
                all.AddRange(page);
            }

            return all;
        });

    public Task<RemoteAnswer<bool>> HasBlobAsync(Digest digest, CancellationToken cancellationToken) => OurStore.Ask<bool>(() =>
    {
        store.Leases.Take(digest);
        return own.FindOpenable(name, digest) is not null;
    });

    public Task<RemoteAnswer<MountedBlob>> MountAsync(Digest digest, RepositoryName from, CancellationToken cancellationToken) =>
        OurStore.AskAsync<MountedBlob>(async () => fault is not null
            ? new RemoteFailure.Refused(RefusalReason.Invalid, fault)
            : new MountedBlob(await own.TryMountAsync(name, digest, [from]), Upload: null));

    public Task<RemoteAnswer<PushedBlob>> PushBlobAsync(
        Descriptor blob, OpenContent open, RemoteUpload? begun, Action<RemoteUpload> reached, CancellationToken cancellationToken) =>
        fault is not null
            ? Task.FromResult<RemoteAnswer<PushedBlob>>(new RemoteFailure.Refused(RefusalReason.Invalid, fault))
            : new OwnUpload(own, uploads, name, blob, open, time).RunAsync(begun, reached, cancellationToken);

    public Task<RemoteAnswer<Descriptor>> PutManifestAsync(Reference reference, Manifest manifest, CancellationToken cancellationToken) =>
        OurStore.AskAsync<Descriptor>(async () =>
        {
            if (fault is not null)
            {
                return new RemoteFailure.Refused(RefusalReason.Invalid, fault);
            }

            IReadOnlyList<Tag> tags = reference.Tag is { } tag ? [tag] : [];
            var expected = reference.Digest ?? manifest.Digest;
            return await own.PushManifestAsync(name, manifest.Content, manifest.MediaType, expected, tags, lender: null) switch
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
        var answer = await OurStore.AskAsync<Tag>(async () => await store.Metadata.Local.RemoveTagAsync(name, tag) is null
            ? new RemoteFailure.Missing($"this registry's {name} has no tag {tag}")
            : tag);
        return (answer as RemoteAnswer<Tag>.Failed)?.Failure;
    }

    private Descriptor? FindManifest(Digest digest)
    {
        if (store.Metadata.FindLink(_key, digest) is not { Blob: { } blob } link
            || !MediaTypes.IsManifest(link.Descriptor.MediaType)
            || !store.Blobs.CanBeOpened(blob))
        {
            return null;
        }

        store.Leases.Take(digest);
        return link.Descriptor;
    }

    private async Task<bool> IsWholeAsync(Digest digest) =>
        await ReadManifestAsync(digest) is RemoteAnswer<Manifest>.Found(var manifest)
        && manifest.View().Blobs.All(blob => MediaTypes.IsForeignLayer(blob.MediaType) || own.FindOpenable(name, blob.Digest) is not null);

    private async Task<RemoteAnswer<Manifest>> ReadManifestAsync(Digest digest)
    {
        if (store.Metadata.FindLink(_key, digest) is not { } link || !MediaTypes.IsManifest(link.Descriptor.MediaType))
        {
            return new RemoteFailure.Missing($"{digest} is not in this registry's {name}");
        }

        try
        {
            using var blob = Open(link);
            return Manifest.TryParse(blob.ReadWhole(), link.Descriptor.MediaType, digest.Algorithm, out var manifest, out var why)
                ? manifest
                : new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"what is stored as {digest} is no manifest: {why}");
        }
        catch (BlobDamagedException e)
        {
            await blobs.ForgetDamagedAsync(e);
            return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, e.Message);
        }
    }

    /// <exception cref="IOException">It was pushed, and the disk has lost it.</exception>
    private PublishedBlob Open(Link link)
    {
        var digest = link.Descriptor.Digest;
        store.Leases.Take(digest);
        return (link.Blob is { } blob ? store.Blobs.TryOpen(blob) : null)
            ?? throw new BlobDamagedException(digest, block: 0);
    }
}
