using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Sync.Repositories;

/// <summary>
/// A repository, wherever it is: in a remote registry, or in this mirror. Whatever the other side does, every method answers in terms that
/// do not depend on where it is; only the caller's own cancellation is thrown.
/// </summary>
public interface IRepository
{
    RepositoryName Name { get; }

    /// <summary>What a tag points to, or whether a manifest is there.</summary>
    /// <param name="reference">The tag or digest.</param>
    /// <param name="known">What it pointed to when last asked; the answer may then be Unchanged.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task<RemoteAnswer<ResolvedTag>> ResolveAsync(Reference reference, Digest? known, CancellationToken cancellationToken);

    /// <summary>A manifest, which has this digest.</summary>
    Task<RemoteAnswer<Manifest>> GetManifestAsync(Digest digest, CancellationToken cancellationToken);
}

/// <summary>A repository from which is copied.</summary>
public interface ISourceRepository : IRepository
{
    /// <summary>All tags, or a failure: never a part of them.</summary>
    Task<RemoteAnswer<IReadOnlyList<Tag>>> ListTagsAsync(CancellationToken cancellationToken);

    /// <summary>A blob from an offset on. What comes is not verified.</summary>
    Task<RemoteAnswer<Stream>> OpenBlobAsync(Digest digest, long offset, CancellationToken cancellationToken);

    /// <summary>All manifests whose subject this is; none where nobody keeps account of that.</summary>
    Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListReferrersAsync(Digest subject, CancellationToken cancellationToken);

    /// <summary>The same where all tags of the repository are known, which may spare asking for one that is not there.</summary>
    Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListReferrersAsync(
        Digest subject, IReadOnlySet<Tag> tags, CancellationToken cancellationToken) => ListReferrersAsync(subject, cancellationToken);
}

/// <summary>A repository to which is copied.</summary>
public interface ITargetRepository : IRepository
{
    /// <summary>
    /// All tags, none or Missing where nothing has been put there yet, or a failure: never a part of them. Refused where it costs nothing
    /// to ask for each.
    /// </summary>
    Task<RemoteAnswer<IReadOnlyList<Tag>>> ListTagsAsync(CancellationToken cancellationToken) =>
        Task.FromResult<RemoteAnswer<IReadOnlyList<Tag>>>(
            new RemoteFailure.Refused(RefusalReason.Unsupported, $"{Name} is asked for each tag"));

    /// <summary>Whether a blob is there. Only that it is said to be there or not is an answer.</summary>
    Task<RemoteAnswer<bool>> HasBlobAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>Takes a blob from another repository of the same registry. Where that can not be done, it is to be pushed.</summary>
    Task<RemoteAnswer<MountedBlob>> MountAsync(Digest digest, RepositoryName from, CancellationToken cancellationToken);

    /// <summary>Lets the target get a blob from the source by itself: nobody else opens it there then.</summary>
    /// <param name="blob">Its digest and size.</param>
    /// <param name="received">Told how many bytes more have come, often.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null where the target does not do that, and the blob is to be pushed.</returns>
    Task<RemoteAnswer<PushedBlob>?> TryFetchBlobAsync(Descriptor blob, Action<int> received, CancellationToken cancellationToken) =>
        Task.FromResult<RemoteAnswer<PushedBlob>?>(null);

    /// <summary>Pushes a blob, which is there only if it has its digest.</summary>
    /// <param name="blob">Its digest and size.</param>
    /// <param name="open">Its content. What it throws is tried again, and in the end thrown.</param>
    /// <param name="begun">An upload to go on with; null for a new one.</param>
    /// <param name="reached">Told how to go on from here, were this process to end now.</param>
    /// <param name="cancellationToken">Ends it; the upload stays, to be gone on with.</param>
    Task<RemoteAnswer<PushedBlob>> PushBlobAsync(
        Descriptor blob, OpenContent open, RemoteUpload? begun, Action<RemoteUpload> reached, CancellationToken cancellationToken);

    /// <summary>Puts a manifest, its bytes as they are, under its digest or a tag.</summary>
    Task<RemoteAnswer<Descriptor>> PutManifestAsync(Reference reference, Manifest manifest, CancellationToken cancellationToken);

    /// <summary>The source has just said that a tag still points to what is there under it, and that was found to be whole.</summary>
    Task ConfirmTagAsync(Tag tag, Digest digest, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The source has just said what refers to a manifest: these, and nothing else.</summary>
    void NoteReferrers(Digest subject, IReadOnlyList<Descriptor> referrers)
    {
    }

    /// <summary>Null where the tag is deleted; Missing where it was not there.</summary>
    Task<RemoteFailure?> DeleteTagAsync(Tag tag, CancellationToken cancellationToken);
}
