using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>Why a tag is copied or not.</summary>
public abstract record TagReason
{
    private TagReason()
    {
    }

    public sealed record Selected : TagReason;

    public sealed record NotIncluded : TagReason;

    public sealed record Excluded(TagFilter By) : TagReason;

    /// <summary>There are so many newer ones.</summary>
    public sealed record NotNewest(int Newest) : TagReason;

    /// <summary>It names no version by which it could be one of the newest.</summary>
    public sealed record NoVersion : TagReason;

    /// <summary>Its image does not say when it was made, by which it could be one of the newest.</summary>
    public sealed record NoCreationTime : TagReason;

    /// <summary>It is no image of its own: it comes along with the manifest that it is about.</summary>
    public sealed record BelongsTo(Digest Subject) : TagReason;
}

public readonly record struct TagDecision(Tag Tag, TagReason Reason)
{
    public bool IsSelected => Reason is TagReason.Selected;
}

/// <summary>Decides about each tag of a repository, and asks nobody: what it needs to know beside the tags, it says.</summary>
public sealed class TagSelector(TagSelection selection)
{
    private static readonly IReadOnlyDictionary<Tag, DateTimeOffset> NoTimes = new Dictionary<Tag, DateTimeOffset>();

    /// <summary>The tags whose images' creation times decide; none where it does not matter when anything was made.</summary>
    public IReadOnlyList<Tag> FindUndecided(IReadOnlyCollection<Tag> tags)
    {
        var rivals = selection is { By: NewestBy.Created, Newest: not null } ? [.. tags.Distinct().Where(IsRival)] : new List<Tag>();
        return rivals.Count > selection.Newest ? rivals : [];
    }

    /// <param name="tags">All tags of the repository.</param>
    /// <param name="created">When the images of <see cref="FindUndecided"/>'s tags were made, as far as they say it.</param>
    /// <returns>One decision for each tag, in the order given.</returns>
    public IReadOnlyList<TagDecision> Select(IReadOnlyCollection<Tag> tags, IReadOnlyDictionary<Tag, DateTimeOffset>? created = null)
    {
        var late = FindLate([.. tags.Distinct().Where(IsRival)], created ?? NoTimes);
        return [.. tags.Distinct()
            .Select(tag => new TagDecision(tag, ReasonByName(tag) ?? late.GetValueOrDefault(tag) ?? new TagReason.Selected()))];
    }

    /// <summary>Why a tag is out by its name alone, or null.</summary>
    private TagReason? ReasonByName(Tag tag) =>
        SubjectTag.FindSubject(tag) is { } subject ? new TagReason.BelongsTo(subject)
        : selection.Include.Count > 0 && !selection.Include.Any(filter => filter.Matches(tag)) ? new TagReason.NotIncluded()
        : selection.Exclude.FirstOrDefault(filter => filter.Matches(tag)) is { } excluding ? new TagReason.Excluded(excluding)
        : null;

    /// <summary>Whether it has to be one of the newest.</summary>
    private bool IsRival(Tag tag) =>
        selection.Newest is not null && ReasonByName(tag) is null
        && !selection.Include.Any(filter => filter is TagFilter.Glob { IsName: true } name && name.Matches(tag));

    /// <summary>Why rivals are not among the newest; those that are, are missing.</summary>
    private Dictionary<Tag, TagReason> FindLate(IReadOnlyList<Tag> rivals, IReadOnlyDictionary<Tag, DateTimeOffset> created)
    {
        if (selection.Newest is not { } newest || selection.By == NewestBy.Created && rivals.Count <= newest)
        {
            return [];
        }

        var versions = rivals.ToDictionary(tag => tag, TagVersion.Find);
        // What is alike is told apart by the text, so that every run decides the same.
        var ranked = selection.By switch
        {
            NewestBy.Version => rivals.Where(tag => versions[tag] is not null)
                .OrderByDescending(tag => versions[tag]!, TagVersion.Order)
                .ThenByDescending(tag => tag.ToString(), StringComparer.Ordinal)
                .GroupBy(tag => versions[tag]!.Variant),
            NewestBy.Created => rivals.Where(created.ContainsKey)
                .OrderByDescending(tag => created[tag])
                .ThenByDescending(tag => tag.ToString(), StringComparer.Ordinal)
                .GroupBy(_ => ""),
        };
        var late = ranked.SelectMany(group => group.Skip(newest))
            .ToDictionary(tag => tag, TagReason (_) => new TagReason.NotNewest(newest));
        foreach (var tag in rivals)
        {
            if (selection.By == NewestBy.Version ? versions[tag] is null : !created.ContainsKey(tag))
            {
                late[tag] = selection.By == NewestBy.Version ? new TagReason.NoVersion() : new TagReason.NoCreationTime();
            }
        }

        return late;
    }
}
