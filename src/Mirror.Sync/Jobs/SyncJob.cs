using Mirror.Oci;
using Mirror.Sync.Scheduling;

namespace Mirror.Sync.Jobs;

/// <summary>What becomes of an index of which only some platforms are copied.</summary>
public enum IndexMode
{
    /// <summary>It keeps its bytes and its digest, and the others' content stays behind.</summary>
    Sparse,

    /// <summary>A smaller one takes its place, with another digest.</summary>
    Rewrite,
}

/// <summary>What is wrong with a job as a whole.</summary>
/// <param name="Part">Which of its parts to change, as the configuration calls it.</param>
/// <param name="What">What is wrong, and what to do about it.</param>
public sealed record JobFault(string Part, string What);

/// <summary>
/// What is copied from where to where, and when. Each part is right by itself; <see cref="FindFaults"/> says whether they fit together.
/// </summary>
public sealed record SyncJob
{
    /// <summary>Unique among the jobs.</summary>
    public required string Name { get; init; }

    /// <summary>Null where it runs only when somebody says so.</summary>
    public Schedule? Schedule { get; init; }

    public required Endpoint From { get; init; }

    public required Endpoint To { get; init; }

    /// <summary>At least one.</summary>
    public required IReadOnlyList<RepositoryFilter> Repositories { get; init; }

    public TagSelection Tags { get; init; } = new();

    /// <summary>Which children of indexes; empty for all.</summary>
    public IReadOnlyList<Platform> Platforms { get; init; } = [];

    public IndexMode Index { get; init; }

    /// <summary>Whether what refers to an image comes with it: referrers, and cosign's tags.</summary>
    public bool Referrers { get; init; } = true;

    /// <summary>How long it is believed that nothing new refers to an image that has not changed.</summary>
    public TimeSpan ReferrersFreshness { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Whether tags that are gone at the source go at the target.</summary>
    public bool Delete { get; init; }

    public DeleteLimit DeleteLimit { get; init; } = DeleteLimit.Default;

    /// <summary>How many images are copied at once.</summary>
    public int Parallel { get; init; } = 4;

    /// <summary>How often the target is asked whether it still has what was put there, and the source what refers to it.</summary>
    public TimeSpan Verify { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How many pulls a run leaves of what the source's quota still allows.</summary>
    public int Reserve { get; init; } = 20;

    public RepositorySelector RepositorySelector => new(From, To, Repositories);

    public TagSelector TagSelector => new(Tags);

    public PlatformSelector PlatformSelector => new(Platforms);

    /// <summary>What does not fit together, with all that can be known before anybody is asked.</summary>
    public IEnumerable<JobFault> FindFaults()
    {
        if (From is Endpoint.Cache)
        {
            yield return new JobFault(
                "from", "the cache is no source, as it has only what somebody pulled: write the registry that it is from");
        }

        if (From == To)
        {
            yield return new JobFault("to", "this is where the images come from: write another registry or path");
        }

        if (To is Endpoint.Cache && From is Endpoint.Local)
        {
            yield return new JobFault("to", "the cache holds other registries' images: write a registry in from");
        }

        if (To is Endpoint.Cache && Delete)
        {
            yield return new JobFault("delete", "nothing is deleted in the cache, which follows the registry by itself: remove the key");
        }

        if (To is Endpoint.Cache && Index == IndexMode.Rewrite)
        {
            yield return new JobFault("index", "the cache has what the registry has: write sparse, or remove the key");
        }

        if (Index == IndexMode.Rewrite && Platforms.Count == 0)
        {
            yield return new JobFault(
                "index", "all platforms are copied, so that there is nothing to rewrite: add platforms, or remove the key");
        }

        foreach (var fault in new RepositorySelector(From, To, [.. Repositories.OfType<RepositoryFilter.Name>()]).Select([]).Faults)
        {
            yield return new JobFault("repositories", fault);
        }
    }
}
