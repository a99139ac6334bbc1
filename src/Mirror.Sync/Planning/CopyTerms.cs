using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Repositories;
using Mirror.Sync.State;

namespace Mirror.Sync.Planning;

/// <summary>
/// From where to where and how much of it a job copies, as a text that is kept with each tag. What was put on other terms is asked for
/// again: a job may come to mean another registry, another path or more platforms, and what it remembers is not about these.
/// </summary>
internal sealed class CopyTerms(SyncJob job, IRegistry source, IRegistry target)
{
    private readonly string _ends = $"{source.Name} {source.Address} > {target.Name} {target.Address}\n";

    private readonly string _amount = job.Platforms.Count == 0
        ? "all platforms"
        : $"{job.Index}: {string.Join(", ", job.Platforms.Select(platform => $"{platform}").Order(StringComparer.Ordinal))}";

    /// <summary>What is kept with a tag that is put into this repository of the target.</summary>
    public string Of(RepositoryName repository) => PlaceOf(repository) + _amount;

    /// <summary>Kept in place of that where it is to be asked again whether the tag is there.</summary>
    public string InDoubt(RepositoryName repository) => PlaceOf(repository);

    /// <summary>Whether a tag was put into this repository of the target, from this source, however much of it.</summary>
    public bool IsFor(TagState tag, RepositoryName repository) =>
        tag.Terms is null ? tag.Put is null : tag.Terms.StartsWith(PlaceOf(repository), StringComparison.Ordinal);

    /// <summary>Whether a tag was put anywhere at this target, from this source.</summary>
    public bool HasSameEnds(TagState tag) => tag.Terms?.StartsWith(_ends, StringComparison.Ordinal) == true;

    private string PlaceOf(RepositoryName repository) => $"{_ends}{repository}\n";
}
