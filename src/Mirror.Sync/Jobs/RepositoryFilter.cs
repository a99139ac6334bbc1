using System.Diagnostics.CodeAnalysis;
using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>Which repositories, by the names that they have behind the source's path.</summary>
public abstract record RepositoryFilter
{
    private RepositoryFilter()
    {
    }

    /// <summary>Reads a name, a pattern with stars, or a regular expression behind <c>regex:</c>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out RepositoryFilter? filter, [NotNullWhen(false)] out string? fault)
    {
        (filter, fault) = (null, null);
        if (text.StartsWith(WholeTextRegex.Prefix, StringComparison.Ordinal))
        {
            filter = WholeTextRegex.TryParse(text[WholeTextRegex.Prefix.Length..], out var regex, out fault) ? new Regex(regex) : null;
        }
        else if (RepositoryName.TryParse(text, out var name))
        {
            filter = new Name(name);
        }
        else if (RepositoryPattern.TryParse(text, out var pattern))
        {
            filter = new Glob(pattern);
        }
        else
        {
            fault = "it is neither a name nor a pattern";
        }

        return fault is null;
    }

    public abstract bool Matches(RepositoryName name);

    public sealed record Name(RepositoryName Repository) : RepositoryFilter
    {
        public override bool Matches(RepositoryName name) => name == Repository;

        public override string ToString() => Repository.ToString();
    }

    public sealed record Glob(RepositoryPattern Pattern) : RepositoryFilter
    {
        public override bool Matches(RepositoryName name) => Pattern.Matches(name.ToString());

        public override string ToString() => Pattern.ToString();
    }

    public sealed record Regex(WholeTextRegex Expression) : RepositoryFilter
    {
        public override bool Matches(RepositoryName name) => Expression.Matches(name.ToString());

        public override string ToString() => WholeTextRegex.Prefix + Expression;
    }
}
