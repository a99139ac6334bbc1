namespace Mirror.Administration;

/// <summary>How it stands with a job.</summary>
/// <param name="Job">Its name.</param>
/// <param name="From">Where it copies from.</param>
/// <param name="To">And to.</param>
/// <param name="Repositories">Which, as the configuration says.</param>
/// <param name="Schedule">As the configuration says; null where it runs only when it is told to.</param>
/// <param name="Next">When it is to run next; null where it has no schedule.</param>
/// <param name="Running">How far its present run is; null where none goes on.</param>
/// <param name="Last">Its last run that has ended; null where none is remembered.</param>
public sealed record SyncJobStatus(
    string Job,
    string From,
    string To,
    IReadOnlyList<string> Repositories,
    string? Schedule,
    DateTimeOffset? Next,
    SyncProgress? Running,
    SyncRunEntry? Last);

/// <summary>How far a run is.</summary>
/// <param name="Job">Which job's.</param>
/// <param name="Cause">Why it was started: schedule, command or event.</param>
/// <param name="Images">How many tags that are to be copied or deleted are done, or have failed.</param>
/// <param name="AllImages">How many there are; null until that is known.</param>
/// <param name="Blobs">How many were sent.</param>
/// <param name="Mounted">How many the target took from another of its repositories.</param>
/// <param name="Bytes">What has come of blobs from the source.</param>
public sealed record SyncProgress(string Job, string Cause, int Images, int? AllImages, int Blobs, int Mounted, long Bytes);

/// <summary>A run, as it is remembered.</summary>
/// <param name="Run">Its number.</param>
/// <param name="Job">Which job's.</param>
/// <param name="Cause">Why it was started: schedule, command or event.</param>
/// <param name="StartedAt">When.</param>
/// <param name="EndedAt">Null while it goes on.</param>
/// <param name="Outcome">running, done, partly, failed or stopped.</param>
/// <param name="Copied">How many tags were put at the target.</param>
/// <param name="UpToDate">How many had not changed.</param>
/// <param name="Deleted">How many were deleted at the target.</param>
/// <param name="Failed">How many things were not done.</param>
/// <param name="Blobs">How many were sent.</param>
/// <param name="Bytes">Sent in blobs.</param>
/// <param name="Mounted">How many blobs the target took from another of its repositories.</param>
/// <param name="SourceRequests">How often the source was asked.</param>
/// <param name="TargetRequests">The same of the target.</param>
/// <param name="Why">What was not done, and why; null where all was.</param>
public sealed record SyncRunEntry(
    long Run,
    string Job,
    string Cause,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndedAt,
    string Outcome,
    int Copied,
    int UpToDate,
    int Deleted,
    int Failed,
    int Blobs,
    long Bytes,
    int Mounted,
    int SourceRequests,
    int TargetRequests,
    string? Why);

/// <param name="Job">Its name.</param>
/// <param name="Full">Whether the target is asked for everything.</param>
/// <param name="Repository">Only this one, by its full name at the source; null for all.</param>
/// <param name="Tags">Only these of it; null for all.</param>
public sealed record SyncPlanRequest(string? Job, bool Full, string? Repository, IReadOnlyList<string?>? Tags);

/// <summary>One line of an answer; one of the two is set. The last is the whole.</summary>
public sealed record SyncPlanLine(SyncPlannedImage? Image, SyncPlanned? Plan);

/// <summary>What a run would do with a tag, or with a repository of which nothing more is known.</summary>
/// <param name="Repository">At the source.</param>
/// <param name="Target">At the target.</param>
/// <param name="Tag">Null where it is all of the repository.</param>
/// <param name="Action">copy, update, up-to-date, delete, keep, filtered or failed.</param>
/// <param name="Digest">What it points to at the source, where that is known.</param>
/// <param name="Bytes">The image's, each of its blobs once; null where that is not known, and where nothing is copied.</param>
/// <param name="Why">For people; null where the action says it all.</param>
public sealed record SyncPlannedImage(string Repository, string Target, string? Tag, string Action, string? Digest, long? Bytes, string? Why);

/// <param name="Job">Which job's.</param>
/// <param name="Full">Whether the target was asked for everything.</param>
/// <param name="Copy">How many tags would be put at the target that are not there.</param>
/// <param name="Update">How many that point elsewhere.</param>
/// <param name="UpToDate">How many are what they are to be.</param>
/// <param name="Delete">How many would be deleted at the target.</param>
/// <param name="Keep">How many are gone at the source, and stay.</param>
/// <param name="Filtered">How many the job does not select.</param>
/// <param name="Failed">Of how many nothing can be said now, repositories among them.</param>
/// <param name="Bytes">Of all that would be copied, each blob once; what the target has already is not taken off.</param>
/// <param name="Faults">Why a part of the job, or all of it, is not planned.</param>
/// <param name="Notes">What is no fault, but may not be meant.</param>
public sealed record SyncPlanned(
    string Job,
    bool Full,
    int Copy,
    int Update,
    int UpToDate,
    int Delete,
    int Keep,
    int Filtered,
    int Failed,
    long? Bytes,
    IReadOnlyList<string> Faults,
    IReadOnlyList<string> Notes);

/// <summary>All that was answered.</summary>
public sealed record SyncPlanReport(SyncPlanned Plan, IReadOnlyList<SyncPlannedImage> Images);

/// <param name="Jobs">Their names.</param>
/// <param name="Full">Whether the target is asked for everything.</param>
/// <param name="ExceedsDeleteLimit">Whether more may be deleted, this once, than the job's limit allows.</param>
/// <param name="Repository">Only this one, by its full name at the source; null for all.</param>
/// <param name="Tags">Only these of it; null for all.</param>
public sealed record SyncRunRequest(
    IReadOnlyList<string?>? Jobs, bool Full, bool ExceedsDeleteLimit, string? Repository, IReadOnlyList<string?>? Tags);

/// <summary>One line of an answer; one of them is set. The last one of each job is its report.</summary>
public sealed record SyncRunLine(SyncFollowed? Followed, SyncProgress? Progress, SyncedImage? Image, SyncReport? Report);

/// <param name="Job">Whose run is followed.</param>
/// <param name="Joined">Whether that was running already.</param>
public sealed record SyncFollowed(string Job, bool Joined);

/// <summary>What has come of a tag that was to be copied or deleted.</summary>
/// <param name="Job">Which job's.</param>
/// <param name="Repository">At the source.</param>
/// <param name="Target">At the target.</param>
/// <param name="Tag">The tag.</param>
/// <param name="Action">copy, update, delete, or what else was planned.</param>
/// <param name="Error">Why that was not done; null where it was.</param>
public sealed record SyncedImage(string Job, string Repository, string Target, string Tag, string Action, string? Error);

/// <param name="Run">The run.</param>
/// <param name="Missing">What it has not done.</param>
/// <param name="Notes">What is no fault, but may not be meant.</param>
/// <param name="GoesOnAt">When the source's quota allows the rest; null where that is not what holds it up.</param>
public sealed record SyncReport(
    SyncRunEntry Run, IReadOnlyList<SyncMissing> Missing, IReadOnlyList<string> Notes, DateTimeOffset? GoesOnAt);

/// <param name="Repository">At the source; null where it is more than one.</param>
/// <param name="Tag">Null where it is the whole of it.</param>
/// <param name="Why">For people.</param>
public sealed record SyncMissing(string? Repository, string? Tag, string Why);

/// <param name="Jobs">Their names.</param>
public sealed record SyncStopRequest(IReadOnlyList<string?>? Jobs);

/// <param name="Job">Its name.</param>
/// <param name="WasRunning">Whether there was a run to be stopped; it has ended.</param>
public sealed record SyncStopped(string Job, bool WasRunning);
