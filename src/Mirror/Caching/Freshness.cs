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
    public TagState StateOf(DateTimeOffset checkedAt, DateTimeOffset now)
    {
        var age = now - checkedAt;

        // A check in the future means that the clock was set back: nothing can be said about its age, so upstream is asked.
        return age < TimeSpan.Zero ? TagState.Stale
            : age < TagFreshness ? TagState.Fresh
            : age - TagFreshness < ServeStale ? TagState.Stale
            : TagState.Expired;
    }
}
