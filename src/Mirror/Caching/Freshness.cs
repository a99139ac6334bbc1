using Mirror.Oci;

namespace Mirror.Caching;

public enum TagState
{
    /// <summary>Answered without asking upstream.</summary>
    Fresh,

    /// <summary>Upstream is asked; where it can not answer, the cached tag still does.</summary>
    Stale,

    /// <summary>Only upstream can answer.</summary>
    Expired,
}

/// <summary>How long what upstream said of a tag counts.</summary>
/// <param name="TagFreshness">So long it is answered without asking again.</param>
/// <param name="ServeStale">So long past that it is answered where upstream can not be asked.</param>
public sealed record Freshness(TimeSpan TagFreshness, TimeSpan ServeStale)
{
    /// <summary>So long an upstream's "there is no such thing" is believed: what is looked for again and again, as signatures are, is asked about less.</summary>
    public static readonly TimeSpan Absence = TimeSpan.FromSeconds(5);

    /// <summary>Tags that never move: once they are here they stay fresh.</summary>
    public IReadOnlyList<TagPattern> Immutable { get; init; } = [];

    /// <summary>Whether everything stays fresh, because nobody can be asked.</summary>
    public bool IsForever { get; init; }

    /// <summary>Of a tag that is here.</summary>
    public TagState StateOf(Tag tag, DateTimeOffset checkedAt, DateTimeOffset now) =>
        Immutable.Any(pattern => pattern.Matches(tag)) ? TagState.Fresh : StateOf(checkedAt, now);

    public TagState StateOf(DateTimeOffset checkedAt, DateTimeOffset now)
    {
        var age = now - checkedAt;

        // A check in the future means that the clock was set back: nothing can be said about its age, so upstream is asked.
        return IsForever ? TagState.Fresh
            : age < TimeSpan.Zero ? TagState.Stale
            : age < TagFreshness ? TagState.Fresh
            : age - TagFreshness < ServeStale ? TagState.Stale
            : TagState.Expired;
    }
}
