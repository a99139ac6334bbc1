using System.Collections.Frozen;
using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.State;

namespace Mirror.Sync.Planning;

/// <summary>What becomes of a tag.</summary>
public enum PlannedAction
{
    /// <summary>The target has no such tag.</summary>
    Copy,

    /// <summary>It points to something else at the target.</summary>
    Update,

    UpToDate,

    /// <summary>It is gone at the source, and goes at the target.</summary>
    Delete,

    /// <summary>It is gone at the source, and stays at the target.</summary>
    Keep,

    /// <summary>The job does not select it.</summary>
    Filtered,

    /// <summary>Nothing can be said of it now.</summary>
    Failed,
}

public sealed record PlannedTag(Tag Tag, PlannedAction Action)
{
    /// <summary>What it points to at the source; null where that is not known or does not matter.</summary>
    public Digest? Source { get; init; }

    /// <summary>What the source calls that; null where it does not say.</summary>
    public string? ETag { get; init; }

    /// <summary>The source's manifest, where finding out meant to fetch it.</summary>
    public Manifest? Manifest { get; init; }

    /// <summary>What the target was found to have under it; null where it was not asked, or has nothing.</summary>
    public Descriptor? Target { get; init; }

    /// <summary>Whether it is time to ask again what refers to it. Only for what is up to date.</summary>
    public bool IsReferrersDue { get; init; }

    /// <summary>What was remembered of it.</summary>
    public TagState? Known { get; init; }

    /// <summary>
    /// How large the image is in bytes, its manifests and all that is copied of it, each once; null where that is not known.
    /// </summary>
    public long? Size { get; init; }

    /// <summary>For people; null where the action says it all.</summary>
    public string? Why { get; init; }
}

/// <param name="Names">What the repository is called at either side.</param>
/// <param name="Tags">All of the source's tags in their order, and then those that are gone.</param>
/// <param name="SubjectTags">Tags that come along with the manifest that they are about, by its digest.</param>
/// <param name="Failure">Why nothing can be said of the repository; null where something can.</param>
public sealed record PlannedRepository(
    RepositoryPair Names, IReadOnlyList<PlannedTag> Tags, ILookup<Digest, Tag> SubjectTags, string? Failure)
{
    /// <summary>All tags that the source has listed.</summary>
    internal IReadOnlySet<Tag> Listed { get; init; } = FrozenSet<Tag>.Empty;

    /// <summary>
    /// Whether the target says that it has no tag there and nothing is remembered of it: then it is not asked for each manifest and blob
    /// before they are sent.
    /// </summary>
    internal bool IsNew { get; init; }
}

/// <summary>What a run of a job does: it executes this and nothing else.</summary>
/// <param name="Repositories">In the order of their names.</param>
/// <param name="Faults">Why a part of the job, or all of it, is not planned.</param>
/// <param name="IsFull">Whether the target was asked for everything, whatever was remembered.</param>
public sealed record SyncPlan(IReadOnlyList<PlannedRepository> Repositories, IReadOnlyList<string> Faults, bool IsFull)
{
    /// <summary>
    /// The bytes of all that is copied, each blob once; null where nobody has measured. What has no size by itself is not in it.
    /// </summary>
    public long? Size { get; init; }

    /// <summary>What is no fault, but may not be meant; for people.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    public IEnumerable<PlannedTag> Tags => Repositories.SelectMany(repository => repository.Tags);

    public int Count(PlannedAction action) => Tags.Count(tag => tag.Action == action);
}

/// <summary>What of a job is run, and how thoroughly.</summary>
public sealed record RunScope
{
    /// <summary>
    /// Whether source and target are asked for everything, whatever is remembered: each tag that the job selects, immutable ones excepted
    /// at the source; at the target each image of an index; and what refers to all of these. An image whose manifest the target has is
    /// taken to have its blobs, without asking for each: a registry takes no manifest without them. Where it says later that it lacks one,
    /// it is asked for all.
    /// </summary>
    public bool IsFull { get; init; }

    /// <summary>Whether more may be deleted, this once, than the job's limit allows.</summary>
    public bool MayDeleteMore { get; init; }

    /// <summary>Only this repository of the source; null for all that the job selects.</summary>
    public RepositoryName? Repository { get; init; }

    /// <summary>Only these tags of it, and where they are signatures and the like, the images that these are about; null for all.</summary>
    public IReadOnlyCollection<Tag>? Tags { get; init; }

    /// <summary>Whether somebody has named the repository and tags, who is to be told which of them the job does not copy.</summary>
    public bool IsNamed { get; init; }

    /// <summary>Whether a run of this does all that a run of the other one would.</summary>
    public bool Covers(RunScope other) =>
        (Repository is null || Repository == other.Repository) && (Tags is null || other.Tags?.All(Tags.Contains) is true)
        && (IsFull || !other.IsFull) && (MayDeleteMore || !other.MayDeleteMore);
}
