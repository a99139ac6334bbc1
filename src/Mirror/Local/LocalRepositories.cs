using System.Text.Unicode;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Local;

/// <summary>What becomes of a manifest that is pushed.</summary>
public abstract record PushAnswer
{
    private PushAnswer()
    {
    }

    /// <summary>It is there, durably, under its digest and all its tags.</summary>
    /// <param name="Digest">Its digest.</param>
    /// <param name="Subject">What it refers to, if it does.</param>
    public sealed record Pushed(Digest Digest, Digest? Subject) : PushAnswer;

    /// <summary>It can not be a manifest, or not the one that it was said to be; <paramref name="Why"/> is for people.</summary>
    public sealed record Invalid(string Why) : PushAnswer;

    /// <summary>Its digest is another one than it was pushed under.</summary>
    public sealed record OtherDigest(Digest Actual) : PushAnswer;

    /// <summary>It refers to what is not in the repository, or is there with another size.</summary>
    public sealed record Lacking(LackingReference Reference) : PushAnswer;
}

/// <summary>Repositories that are our own: what is pushed to them, and what is taken out of them again.</summary>
public sealed class LocalRepositories(Store store)
{
    private Action<RepositoryName, IReadOnlyList<Tag>>? _pushed;

    /// <summary>From now on, tells of each manifest that was pushed under tags, whoever has pushed it.</summary>
    public void Follow(Action<RepositoryName, IReadOnlyList<Tag>> pushed) => _pushed = pushed;

    /// <summary>
    /// Takes a manifest into a repository. What it refers to has to be there, but for layers that no registry has, and for an index's children: who
    /// copies an index for some platforms leaves the others out.
    /// </summary>
    /// <param name="repository">Where it is pushed to.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="contentType">As what it was sent.</param>
    /// <param name="expected">Its digest, if that was said.</param>
    /// <param name="tags">Point to it from then on.</param>
    /// <param name="lender">What it lacks may be here as an upstream's.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public async Task<PushAnswer> PushManifestAsync(
        RepositoryName repository, ReadOnlyMemory<byte> content, string? contentType, Digest? expected, IReadOnlyList<Tag> tags, Lender? lender)
    {
        // JSON is UTF-8; a reader that is in no need of a text does not look at it.
        if (!Utf8.IsValid(content.Span))
        {
            return new PushAnswer.Invalid("the manifest is not UTF-8");
        }

        if (!Manifest.TryParse(content, contentType, expected?.Algorithm ?? DigestAlgorithm.Sha256, out var manifest, out var fault))
        {
            return new PushAnswer.Invalid(fault);
        }

        if (expected is not null && manifest.Digest != expected)
        {
            return new PushAnswer.OtherDigest(manifest.Digest);
        }

        var view = manifest.View();
        if (lender is not null)
        {
            await BorrowAsync(repository, view, lender);
        }

        // The index is asked once more in the writer's transaction. Files are looked at here, where that holds nobody up.
        var lacking = FindLacking(repository, view);
        if (lacking is null)
        {
            store.Leases.Take(manifest.Digest);
            var blob = FindIntact(manifest.Digest) ?? store.Blobs.Publish(manifest.Digest, content.Span);
            lacking = await store.Metadata.Local.AddManifestAsync(repository, manifest, view, blob, tags);
        }

        if (lacking is not null)
        {
            return new PushAnswer.Lacking(lacking);
        }

        if (tags.Count > 0)
        {
            _pushed?.Invoke(repository, tags);
        }

        return new PushAnswer.Pushed(manifest.Digest, view.Subject?.Digest);
    }

    /// <summary>
    /// Takes an uploaded blob into a repository. It takes the place of what is here already: these bytes are known to be right, and what the disk
    /// has made of those is not.
    /// </summary>
    /// <param name="turn">At an upload whose bytes have been verified.</param>
    /// <param name="repository">Where it was pushed to.</param>
    /// <param name="digest">The one that was verified.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public Task PushBlobAsync(UploadTurn turn, RepositoryName repository, Digest digest)
    {
        store.Leases.Take(digest);
        return store.Metadata.Local.AddBlobAsync(repository, turn.Publish());
    }

    /// <summary>Whether a blob is here already, in whatever repository. It stays for a while then.</summary>
    public bool IsHere(Digest digest)
    {
        store.Leases.Take(digest);
        return store.Metadata.FindBlob(digest) is { } blob && store.Blobs.CanBeOpened(blob);
    }

    /// <summary>Takes a file of another program's into a repository, as a blob. The file stays as it is.</summary>
    /// <param name="repository">Gets it.</param>
    /// <param name="digest">The one that the file should have.</param>
    /// <param name="path">The file.</param>
    /// <param name="pass">Is told how many bytes were verified, often.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Null where the file has another digest.</returns>
    /// <exception cref="IOException">The file can not be read, or the disk refused.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public async Task<AdoptedBlob?> TryAdoptBlobAsync(
        RepositoryName repository, Digest digest, string path, Action<int> pass, CancellationToken cancellationToken)
    {
        store.Leases.Take(digest);
        var adopted = store.Blobs.TryAdopt(digest, path, pass, cancellationToken);
        if (adopted is not null)
        {
            await store.Metadata.Local.AddBlobAsync(repository, adopted.Record);
        }

        return adopted;
    }

    /// <summary>Gives a repository a blob that is here, unless it has it.</summary>
    public async Task LinkBlobAsync(RepositoryName repository, Digest digest)
    {
        if (FindOpenable(repository, digest) is null && store.Metadata.FindBlob(digest) is { } blob)
        {
            await store.Metadata.Local.AddBlobAsync(repository, blob);
        }
    }

    /// <summary>Whether a repository has a manifest, and its bytes are what they were.</summary>
    public bool HasManifest(RepositoryName repository, Digest digest) =>
        store.Metadata.FindLink(RepositoryKey.Local(repository), digest) is { Blob: not null } link
        && MediaTypes.IsManifest(link.Descriptor.MediaType)
        && FindIntact(digest) is not null;

    /// <summary>Content of a repository that can be opened; what is in it is not looked at.</summary>
    public BlobRecord? FindOpenable(RepositoryName repository, Digest digest) =>
        store.Metadata.FindLink(RepositoryKey.Local(repository), digest) is { Blob: { } blob } && store.Blobs.CanBeOpened(blob) ? blob : null;

    /// <summary>What a tag of a repository points to.</summary>
    public Digest? FindTag(RepositoryName repository, Tag tag) => store.Metadata.FindTag(RepositoryKey.Local(repository), tag)?.Digest;

    /// <summary>Gives a repository a blob that is in another one.</summary>
    /// <param name="target">Gets it.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="sources">Where the client may read it.</param>
    /// <returns>Whether one of them has it.</returns>
    public async Task<bool> TryMountAsync(RepositoryName target, Digest digest, IEnumerable<RepositoryName> sources)
    {
        foreach (var source in sources)
        {
            if (FindOpenable(source, digest) is { } blob)
            {
                store.Leases.Take(digest);
                await store.Metadata.Local.AddBlobAsync(target, blob);
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether content of an upstream's repository is here, so that who pushes a manifest to the same name need not push it.</summary>
    public bool CanLend(RepositoryKey upstream, Digest digest) => FindLent(upstream, digest) is not null;

    /// <summary>
    /// What a manifest lacks, and the client has left out because it is here. Of an index these are images as a whole; those that are not here as a
    /// whole stay left out.
    /// </summary>
    private async Task BorrowAsync(RepositoryName repository, ManifestView view, Lender lender)
    {
        var blobs = new List<BlobRecord>();
        foreach (var content in LocalRefs.ReferencesOf(view).Where(content => FindOpenable(repository, content.Digest) is null))
        {
            if (FindLent(lender.Repository, content.Digest) is not { Blob: { } blob } link || !await lender.MayRead(link.Descriptor))
            {
                continue;
            }

            store.Leases.Take(content.Digest);
            if (!view.IsIndex)
            {
                blobs.Add(blob);
            }
            else if (!MediaTypes.IsIndex(link.Descriptor.MediaType) && TryRead(link, blob) is { } image)
            {
                await BorrowImageAsync(repository, image, blob, lender);
            }
        }

        await Task.WhenAll(blobs.Select(blob => store.Metadata.Local.AddBlobAsync(repository, blob)));
    }

    private async Task BorrowImageAsync(RepositoryName repository, Manifest image, BlobRecord blob, Lender lender)
    {
        var view = image.View();
        await BorrowAsync(repository, view, lender);
        if (FindLacking(repository, view) is null)
        {
            await store.Metadata.Local.AddManifestAsync(repository, image, view, blob, tags: []);
        }
    }

    private LackingReference? FindLacking(RepositoryName repository, ManifestView view) =>
        LocalRefs.FindLacking(view, wanted => FindOpenable(repository, wanted)?.Size);

    private Link? FindLent(RepositoryKey upstream, Digest digest) =>
        store.Metadata.FindLink(upstream, digest) is { Held: true, Blob: { } blob } link && store.Blobs.CanBeOpened(blob) ? link : null;

    private Manifest? TryRead(Link link, BlobRecord blob) =>
        MediaTypes.IsManifest(link.Descriptor.MediaType)
        && TryReadWhole(blob) is { } content
        && Manifest.TryParse(content, link.Descriptor.MediaType, blob.Digest.Algorithm, out var manifest, out _)
            ? manifest
            : null;

    /// <summary>A manifest that is here already, and that the disk has not changed.</summary>
    private BlobRecord? FindIntact(Digest digest) => store.Metadata.FindBlob(digest) is { } blob && TryReadWhole(blob) is not null ? blob : null;

    private byte[]? TryReadWhole(BlobRecord record)
    {
        if (record.Size > Manifest.MaxSize)
        {
            return null;
        }

        try
        {
            using var blob = store.Blobs.TryOpen(record);
            return blob?.ReadWhole();
        }
        catch (BlobDamagedException)
        {
            return null;
        }
    }
}
