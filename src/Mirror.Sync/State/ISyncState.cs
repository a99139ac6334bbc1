using Mirror.Oci;

namespace Mirror.Sync.State;

/// <summary>
/// What the replicator remembers between runs. All of it can be lost: the next run then asks source and target for everything, and copies
/// nothing that is there. So a write need not be on the disk when it returns, but what is there after a crash is what was written at some
/// moment. Safe for use by many threads.
/// </summary>
public interface ISyncState : IDisposable
{
    TagState? FindTag(string job, RepositoryName repository, Tag tag);

    /// <summary>All that a job remembers of a repository, by tag in the order of its characters.</summary>
    IReadOnlyList<TagState> ListTags(string job, RepositoryName repository);

    /// <summary>The repositories of which a job remembers something, by name.</summary>
    IReadOnlyList<RepositoryName> ListRepositories(string job);

    /// <summary>Keeps what is known of a tag, in place of what was known.</summary>
    void Save(TagState tag);

    void RemoveTag(string job, RepositoryName repository, Tag tag);

    /// <summary>Keeps a run that begins.</summary>
    /// <returns>The same with its number.</returns>
    SyncRun Begin(SyncRun run);

    /// <summary>Keeps what has become of a run that was begun.</summary>
    void Save(SyncRun run);

    /// <summary>The last runs, the newest first.</summary>
    /// <param name="job">Of this job; null for all.</param>
    /// <param name="count">At most so many.</param>
    IReadOnlyList<SyncRun> ListRuns(string? job, int count);

    /// <summary>When the job last compared everything with the target; null where it never has.</summary>
    DateTimeOffset? FindVerified(string job);

    void SaveVerified(string job, DateTimeOffset at);

    /// <summary>The upload of a blob to a target: there is one, whichever of its repositories it is for.</summary>
    UploadState? FindUpload(string registry, Digest digest);

    void Save(UploadState upload);

    void RemoveUpload(string registry, Digest digest);

    /// <summary>
    /// In which repository of a target a blob last was, or was to be; null where that is not known. It may be there no longer, or not yet.
    /// </summary>
    RepositoryName? FindPlace(string registry, Digest digest);

    /// <summary>Keeps that in place of what was known. The places of the last fifty thousand blobs are kept.</summary>
    void SavePlace(string registry, Digest digest, RepositoryName repository);

    /// <summary>Forgets a place that was wrong, unless another is known by now.</summary>
    void RemovePlace(string registry, Digest digest, RepositoryName repository);
}
