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
    public sealed record Pushed(Manifest Manifest) : PushAnswer;

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
    /// <summary>
    /// Takes a manifest into a repository. What it refers to has to be there, but for layers that no registry has, and for an index's children: who
    /// copies an index for some platforms leaves the others out.
    /// </summary>
    /// <param name="repository">Where it is pushed to.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="contentType">As what it was sent.</param>
    /// <param name="expected">Its digest, if that was said.</param>
    /// <param name="tags">Point to it from then on.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public async Task<PushAnswer> PushManifestAsync(
        RepositoryName repository, ReadOnlyMemory<byte> content, string? contentType, Digest? expected, IReadOnlyList<Tag> tags)
    {
        if (!Manifest.TryParse(content, contentType, expected?.Algorithm ?? DigestAlgorithm.Sha256, out var manifest, out var fault))
        {
            return new PushAnswer.Invalid(fault);
        }

        if (expected is not null && manifest.Digest != expected)
        {
            return new PushAnswer.OtherDigest(manifest.Digest);
        }

        store.Leases.Take(manifest.Digest);
        var blob = FindKept(manifest.Digest) ?? store.Blobs.Publish(manifest.Digest, content.Span);
        return await store.Metadata.Local.AddManifestAsync(repository, manifest, blob, tags) is { } lacking
            ? new PushAnswer.Lacking(lacking)
            : new PushAnswer.Pushed(manifest);
    }

    /// <summary>Takes an uploaded blob into a repository. What is here already is not stored twice.</summary>
    /// <param name="turn">At an upload whose bytes have been verified.</param>
    /// <param name="repository">Where it was pushed to.</param>
    /// <param name="digest">The one that was verified.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public Task PushBlobAsync(UploadTurn turn, RepositoryName repository, Digest digest)
    {
        store.Leases.Take(digest);
        return store.Metadata.Local.AddBlobAsync(repository, TakeKept(turn, digest) ?? turn.Publish());
    }

    /// <summary>Gives a repository a blob that is in another one.</summary>
    /// <param name="target">Gets it.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="sources">Where the client may read it.</param>
    /// <returns>Whether one of them has it.</returns>
    public async Task<bool> TryMountAsync(RepositoryName target, Digest digest, IEnumerable<RepositoryName> sources)
    {
        foreach (var source in sources)
        {
            if (store.Metadata.FindLink(RepositoryKey.Local(source), digest) is { Blob: { } blob } && CanBeOpened(blob))
            {
                store.Leases.Take(digest);
                await store.Metadata.Local.AddBlobAsync(target, blob);
                return true;
            }
        }

        return false;
    }

    private BlobRecord? TakeKept(UploadTurn turn, Digest digest)
    {
        var blob = FindKept(digest);
        if (blob is not null)
        {
            turn.Cancel();
        }

        return blob;
    }

    private BlobRecord? FindKept(Digest digest) => store.Metadata.FindBlob(digest) is { } blob && CanBeOpened(blob) ? blob : null;

    private bool CanBeOpened(BlobRecord blob)
    {
        using var published = store.Blobs.TryOpen(blob);
        return published is not null;
    }
}
