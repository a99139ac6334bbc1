using System.Diagnostics.CodeAnalysis;

namespace Mirror.Sync.Jobs;

/// <summary>
/// A range of versions as npm, Cargo and Renovate write it: <c>&gt;=1.2 &lt;2</c>, <c>^1.4 || ~2.1</c>, <c>1.x</c>, <c>1.2 - 1.9</c>. A
/// version with fewer than three numbers stands for all that begin with them. Builds and variants make no difference.
/// </summary>
public sealed class VersionRange
{
    /// <summary>What stands before it where a glob could stand too.</summary>
    public const string Prefix = "semver:";

    /// <summary>The longer first: <c>&gt;=</c> begins with another one.</summary>
    private static readonly string[] Operators = [">=", "<=", "!=", "==", ">", "<", "=", "^", "~"];

    private readonly string _text;
    private readonly IReadOnlyList<Alternative> _alternatives;

    private VersionRange(string text, IReadOnlyList<Alternative> alternatives) => (_text, _alternatives) = (text, alternatives);

    public static bool TryParse(string text, [NotNullWhen(true)] out VersionRange? range)
    {
        var alternatives = text.Split("||").Select(FindAlternative).ToList();
        range = alternatives.Contains(null) ? null : new VersionRange(text.Trim(), alternatives.ConvertAll(a => a!));
        return range is not null;
    }

    /// <summary>
    /// What is not released yet is in only where the range itself names something that is not; what comes before 2.0 is never below 2.
    /// </summary>
    public bool Contains(TagVersion version) => _alternatives.Any(alternative => alternative.Contains(version));

    /// <summary>The range, without the prefix.</summary>
    public override string ToString() => _text;

    private static Alternative? FindAlternative(string text)
    {
        var words = text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries).ToList();
        if (words is [var from, "-", var to])
        {
            words = [$">={from}", $"<={to}"];
        }

        // "> 1" is "> " and "1" to people who type.
        for (var i = words.Count - 2; i >= 0; i--)
        {
            if (Operators.Contains(words[i]))
            {
                words[i] += words[i + 1];
                words.RemoveAt(i + 1);
            }
        }

        var conditions = words.ConvertAll(FindCondition);
        return conditions.Count == 0 || conditions.Contains(null) ? null : new Alternative(conditions.ConvertAll(c => c!));
    }

    private static Condition? FindCondition(string word)
    {
        var @operator = Array.Find(Operators, o => word.StartsWith(o, StringComparison.Ordinal)) ?? "";
        return FindBound(word[@operator.Length..]) is not { } bound ? null
            : @operator switch
            {
                ">=" => new Condition(bound, v => bound.IsAtMost(v)),
                "<=" => new Condition(bound, v => !bound.IsBelowAll(v)),
                ">" => new Condition(bound, bound.IsBelowAll),
                "<" => new Condition(bound, bound.IsAbove),
                "!=" => new Condition(bound, v => !bound.Includes(v)),
                "^" => Between(bound, bound.Numbers.TakeWhile(number => number == 0).Count() + 1),
                "~" => Between(bound, 2),
                _ => new Condition(bound, bound.Includes),
            };
    }

    /// <summary>From the bound to what still has as many of its numbers.</summary>
    private static Condition Between(Bound bound, int numbers)
    {
        var whole = bound with { Numbers = [.. bound.Numbers.Take(numbers)], Version = null, IsPartial = true };
        return new Condition(bound, v => bound.IsAtMost(v) && !whole.IsBelowAll(v));
    }

    /// <summary>Reads <c>1</c>, <c>v1.2</c>, <c>1.2.x</c>, <c>1.2.3-rc.1</c> and <c>*</c>.</summary>
    private static Bound? FindBound(string text)
    {
        var parts = text.Split('.');
        var wild = Array.FindIndex(parts, part => part is "x" or "X" or "*");
        if (wild >= 0)
        {
            return parts.Skip(wild).All(part => part is "x" or "X" or "*")
                && (wild == 0 || FindBound(string.Join('.', parts[..wild])) is { Version.PreRelease: null })
                ? new Bound(wild == 0 ? [] : FindBound(string.Join('.', parts[..wild]))!.Numbers, Version: null, IsPartial: true)
                : null;
        }

        return TagVersion.TryParse(text, out var version) && version is { Variant: "", Build.Count: 0 }
            ? new Bound(version.Numbers, version, version.PreRelease is null && version.Numbers.Count < 3)
            : null;
    }

    private sealed record Alternative(IReadOnlyList<Condition> Conditions)
    {
        private readonly bool _namesPreRelease = Conditions.Any(condition => condition.Bound.Version?.PreRelease is not null);

        public bool Contains(TagVersion version) =>
            (version.PreRelease is null || _namesPreRelease) && Conditions.All(condition => condition.Holds(version));
    }

    private sealed record Condition(Bound Bound, Func<TagVersion, bool> Holds);

    /// <param name="Numbers">What it says; none for any version.</param>
    /// <param name="Version">The same with what comes behind the numbers, or null where that is a star.</param>
    /// <param name="IsPartial">Whether it stands for all versions that begin with the numbers.</param>
    private sealed record Bound(IReadOnlyList<long> Numbers, TagVersion? Version, bool IsPartial)
    {
        /// <summary>Whether it is no later than the version.</summary>
        public bool IsAtMost(TagVersion version) =>
            Version is { PreRelease: not null } ? TagVersion.CompareReleases(Version, version) <= 0
            : TagVersion.CompareNumbers(Numbers, version.Numbers) is var byNumbers
                && (byNumbers < 0 || byNumbers == 0 && version.PreRelease is null);

        /// <summary>Whether the version is earlier. What comes before a release belongs to it, and is no earlier.</summary>
        public bool IsAbove(TagVersion version) =>
            Version is { PreRelease: not null } ? TagVersion.CompareReleases(Version, version) > 0
            : TagVersion.CompareNumbers(Numbers, version.Numbers) > 0;

        /// <summary>Whether the version is later than everything that this stands for.</summary>
        public bool IsBelowAll(TagVersion version) =>
            IsPartial ? TagVersion.CompareNumbers(Numbers, Beginning(version)) < 0
            : Version is { PreRelease: not null } ? TagVersion.CompareReleases(Version, version) < 0
            : TagVersion.CompareNumbers(Numbers, version.Numbers) < 0;

        public bool Includes(TagVersion version) =>
            IsPartial ? TagVersion.CompareNumbers(Numbers, Beginning(version)) == 0
            : Version is not null && TagVersion.CompareReleases(Version, version) == 0;

        private long[] Beginning(TagVersion version) => [.. version.Numbers.Take(Numbers.Count)];
    }
}
