using System.Diagnostics.CodeAnalysis;
using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>Which tags, by what they are called.</summary>
public abstract record TagFilter
{
    private TagFilter()
    {
    }

    /// <summary>
    /// Reads a pattern with stars, a regular expression behind <c>regex:</c>, or a range of versions behind <c>semver:</c>.
    /// </summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out TagFilter? filter, [NotNullWhen(false)] out string? fault)
    {
        (filter, fault) = (null, null);
        if (text.StartsWith(WholeTextRegex.Prefix, StringComparison.Ordinal))
        {
            filter = WholeTextRegex.TryParse(text[WholeTextRegex.Prefix.Length..], out var regex, out fault) ? new Regex(regex) : null;
        }
        else if (text.StartsWith(VersionRange.Prefix, StringComparison.Ordinal))
        {
            filter = VersionRange.TryParse(text[VersionRange.Prefix.Length..], out var range) ? new Range(range) : null;
            fault = filter is null ? "it is not a range of versions" : null;
        }
        else
        {
            filter = TagPattern.TryParse(text, out var pattern) ? new Glob(pattern) : null;
            fault = filter is null ? "it is not a pattern for tags" : null;
        }

        return fault is null;
    }

    public abstract bool Matches(Tag tag);

    public sealed record Glob(TagPattern Pattern) : TagFilter
    {
        /// <summary>Whether it is one tag's name.</summary>
        public bool IsName { get; } = Tag.TryParse(Pattern.ToString(), out _);

        public override bool Matches(Tag tag) => Pattern.Matches(tag);

        public override string ToString() => Pattern.ToString();
    }

    public sealed record Regex(WholeTextRegex Expression) : TagFilter
    {
        public override bool Matches(Tag tag) => Expression.Matches(tag.ToString());

        public override string ToString() => WholeTextRegex.Prefix + Expression;
    }

    public sealed record Range(VersionRange Versions) : TagFilter
    {
        public override bool Matches(Tag tag) => TagVersion.Find(tag) is { } version && Versions.Contains(version);

        public override string ToString() => VersionRange.Prefix + Versions;
    }
}
