using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Sync.State;

/// <summary>What a job remembers of a tag.</summary>
/// <param name="Job">The job's name.</param>
/// <param name="Repository">The source's name of the repository.</param>
/// <param name="Tag">The tag.</param>
/// <param name="Seen">What it pointed to at the source when <paramref name="Put"/> was put; null where nothing has been put yet.</param>
/// <param name="SeenAt">When it was last found to point there.</param>
/// <param name="ETag">What the source said with it; null where it said none.</param>
/// <param name="Put">What the job has put at the target under this tag; null where it has put nothing yet.</param>
/// <param name="PutAt">When it was put, or last found there.</param>
/// <param name="Terms">From where to where and how much of it was put ; what the job says now may differ.</param>
/// <param name="ReferrersAt">When it was last asked what refers to it.</param>
/// <param name="Failures">How many runs in a row have failed with it.</param>
/// <param name="Why">Why the last one has; null where it has not.</param>
public sealed record TagState(
    string Job,
    RepositoryName Repository,
    Tag Tag,
    Digest? Seen,
    DateTimeOffset? SeenAt,
    string? ETag,
    Digest? Put,
    DateTimeOffset? PutAt,
    string? Terms,
    DateTimeOffset? ReferrersAt,
    int Failures,
    string? Why);

/// <summary>How a run ended.</summary>
public enum RunOutcome
{
    /// <summary>It has not. One whose process has ended before it did is stopped as soon as the state is opened again.</summary>
    Running,

    Done,

    /// <summary>Some of it was not done.</summary>
    Partly,

    Failed,

    /// <summary>Somebody has stopped it.</summary>
    Stopped,
}

/// <summary>What a run has done.</summary>
/// <param name="Copied">How many tags were put at the target that were not there, or pointed elsewhere.</param>
/// <param name="UpToDate">How many had not changed.</param>
/// <param name="Deleted">How many were deleted at the target.</param>
/// <param name="Failed">How many could not be done.</param>
/// <param name="Blobs">How many blobs were sent.</param>
/// <param name="Bytes">How many bytes of blobs were sent.</param>
/// <param name="Mounted">How many blobs the target took from another of its repositories.</param>
/// <param name="SourceRequests">How many requests the source has had.</param>
/// <param name="TargetRequests">How many requests the target has had.</param>
public sealed record RunFigures(
    int Copied, int UpToDate, int Deleted, int Failed, int Blobs, long Bytes, int Mounted, int SourceRequests, int TargetRequests)
{
    public static RunFigures None { get; } = new(0, 0, 0, 0, 0, 0, 0, 0, 0);
}

/// <summary>One run of a job.</summary>
/// <param name="Id">Grows with each run of any job; 0 for one that is not kept yet.</param>
/// <param name="Job">The job's name.</param>
/// <param name="Cause">Why it was started: <c>schedule</c>, <c>command</c> or <c>event</c>.</param>
/// <param name="StartedAt">When.</param>
/// <param name="EndedAt">Null while it runs.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Figures">What it has done.</param>
/// <param name="Why">What was not done and why, for people; null where all was.</param>
public sealed record SyncRun(
    long Id,
    string Job,
    string Cause,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndedAt,
    RunOutcome Outcome,
    RunFigures Figures,
    string? Why);

/// <summary>An upload to a target that goes on where it stood, also after a restart.</summary>
/// <param name="Registry">The target, as the configuration calls it.</param>
/// <param name="Repository">The repository there.</param>
/// <param name="Digest">The blob.</param>
/// <param name="Upload">Where it stands.</param>
/// <param name="SavedAt">When that was written.</param>
public sealed record UploadState(string Registry, RepositoryName Repository, Digest Digest, RemoteUpload Upload, DateTimeOffset SavedAt);
