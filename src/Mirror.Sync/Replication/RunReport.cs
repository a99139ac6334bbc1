using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.State;

namespace Mirror.Sync.Replication;

/// <summary>Something that a run should have done and has not.</summary>
/// <param name="Repository">Null where it is more than one repository.</param>
/// <param name="Tag">Null where it is the whole of it.</param>
/// <param name="Why">For people.</param>
public sealed record Missing(RepositoryPair? Repository, Tag? Tag, string Why)
{
    /// <summary>By its name at the source; null where that is more than one repository.</summary>
    public string? What => Repository is not { } names ? null : Tag is { } tag ? $"{names.Source}:{tag}" : $"{names.Source}";

    public override string ToString() => What is { } what ? $"{what}: {Why}" : Why;
}

/// <summary>What a run has come to.</summary>
/// <param name="Run">As it is remembered.</param>
/// <param name="Plan">What it was to do; null where it ended before that was known.</param>
/// <param name="Missing">What it has not done.</param>
/// <param name="GoesOnAt">When the source's quota allows the rest; null where that is not what holds it up.</param>
public sealed record RunReport(SyncRun Run, SyncPlan? Plan, IReadOnlyList<Missing> Missing, DateTimeOffset? GoesOnAt);
