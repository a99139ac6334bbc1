namespace Mirror.Sync.Jobs;

/// <summary>By what one tag is newer than another.</summary>
public enum NewestBy
{
    /// <summary>By the version that it names, among those of its variant.</summary>
    Version,

    /// <summary>By when its image was made.</summary>
    Created,
}

/// <summary>Which tags of a repository a job copies.</summary>
public sealed record TagSelection
{
    /// <summary>Any of these; empty for all tags.</summary>
    public IReadOnlyList<TagFilter> Include { get; init; } = [];

    /// <summary>And none of these.</summary>
    public IReadOnlyList<TagFilter> Exclude { get; init; } = [];

    /// <summary>No more of them than this many, or null for all. Tags that <see cref="Include"/> names in full do not count.</summary>
    public int? Newest { get; init; }

    public NewestBy By { get; init; }
}
