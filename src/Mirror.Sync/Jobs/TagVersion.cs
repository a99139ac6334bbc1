using System.Diagnostics.CodeAnalysis;
using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>What comes before a version is released, in that order.</summary>
public enum PreReleaseKind
{
    Alpha,
    Beta,
    Candidate,
}

/// <summary>
/// The version that a tag names: an optional <c>v</c> and numbers with dots (<c>3.20</c>, <c>v1.2.3</c>, <c>24.04</c>); then
/// <c>alpha</c>, <c>beta</c> or <c>rc</c>, with numbers of its own or none (<c>rc1</c>, <c>-rc.1</c>, <c>-beta-2</c>); then numbers
/// behind dashes, which say which build or day it is (<c>1.2.3-2</c>, <c>2026-01-31</c>); then anything behind a dash or underscore,
/// which is a variant (<c>-alpine3.20</c>).
/// </summary>
public sealed class TagVersion
{
    /// <summary>More digits are no version, and would not fit a number.</summary>
    private const int MaxDigits = 18;

    private static readonly (string Word, PreReleaseKind Kind)[] PreReleases =
        [("alpha", PreReleaseKind.Alpha), ("beta", PreReleaseKind.Beta), ("rc", PreReleaseKind.Candidate)];

    private TagVersion(long[] numbers, PreReleaseKind? preRelease, long[] preReleaseNumbers, long[] build, string variant) =>
        (Numbers, PreRelease, PreReleaseNumbers, Build, Variant) = (numbers, preRelease, preReleaseNumbers, build, variant);

    /// <summary>Orders by meaning: <c>1.2</c> and <c>1.2.0</c> are equal, and so are variants of one version.</summary>
    public static IComparer<TagVersion> Order { get; } = Comparer<TagVersion>.Create(Compare);

    /// <summary>At least one.</summary>
    public IReadOnlyList<long> Numbers { get; }

    /// <summary>Null for what is released.</summary>
    public PreReleaseKind? PreRelease { get; }

    public IReadOnlyList<long> PreReleaseNumbers { get; }

    /// <summary>Which build of the version it is; most have none.</summary>
    public IReadOnlyList<long> Build { get; }

    /// <summary>With its dash; empty for none.</summary>
    public string Variant { get; }

    public static TagVersion? Find(Tag tag) => TryParse(tag.ToString(), out var version) ? version : null;

    internal static bool TryParse(string text, [NotNullWhen(true)] out TagVersion? version)
    {
        version = null;
        var rest = text.AsSpan(text.StartsWith('v') ? 1 : 0);
        if (!TryReadNumber(ref rest, out var first))
        {
            return false;
        }

        var numbers = ReadNumbers(ref rest, first, ".");
        var preRelease = ReadPreRelease(ref rest, out var preReleaseNumbers);
        var build = ReadNumbers(ref rest, null, "-");
        if (!rest.IsEmpty && rest[0] is not ('-' or '_'))
        {
            return false;
        }

        version = new TagVersion(numbers, preRelease, preReleaseNumbers, build, rest.ToString());
        return true;
    }

    /// <summary>Compares numbers, each that one side lacks as 0.</summary>
    internal static int CompareNumbers(IReadOnlyList<long> a, IReadOnlyList<long> b)
    {
        for (var i = 0; i < Math.Max(a.Count, b.Count); i++)
        {
            var difference = (i < a.Count ? a[i] : 0).CompareTo(i < b.Count ? b[i] : 0);
            if (difference != 0)
            {
                return difference;
            }
        }

        return 0;
    }

    /// <summary>The order without builds, which is what ranges speak of.</summary>
    internal static int CompareReleases(TagVersion a, TagVersion b)
    {
        var byNumbers = CompareNumbers(a.Numbers, b.Numbers);
        // What is released comes after all that came before it.
        var byKind = byNumbers != 0 ? byNumbers : ((int?)a.PreRelease ?? int.MaxValue).CompareTo((int?)b.PreRelease ?? int.MaxValue);
        return byKind != 0 ? byKind : CompareNumbers(a.PreReleaseNumbers, b.PreReleaseNumbers);
    }

    private static int Compare(TagVersion a, TagVersion b) =>
        CompareReleases(a, b) is not 0 and var byRelease ? byRelease : CompareNumbers(a.Build, b.Build);

    private static PreReleaseKind? ReadPreRelease(ref ReadOnlySpan<char> rest, out long[] numbers)
    {
        numbers = [];
        var behind = rest.Length > 0 && rest[0] is '-' or '.' or '_' ? rest[1..] : rest;
        foreach (var (word, kind) in PreReleases)
        {
            if (!behind.StartsWith(word, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            behind = behind[word.Length..];
            numbers = ReadNumbers(ref behind, TryReadNumber(ref behind, out var first) ? first : null, ".-");
            // -betamax is a variant, and 1.0rcx is nothing.
            if (!behind.IsEmpty && behind[0] is not ('-' or '_'))
            {
                numbers = [];
                return null;
            }

            rest = behind;
            return kind;
        }

        return null;
    }

    /// <summary>
    /// Reads on as long as there is a separator and a number. Behind a dash a number ends where a word does: <c>-2b</c> is a variant.
    /// </summary>
    private static long[] ReadNumbers(ref ReadOnlySpan<char> rest, long? first, string separators)
    {
        var numbers = new List<long>();
        if (first is { } number)
        {
            numbers.Add(number);
        }

        while (rest.Length > 1 && separators.Contains(rest[0]))
        {
            var behind = rest[1..];
            if (!TryReadNumber(ref behind, out var next)
                || separators.Contains('-') && !behind.IsEmpty && behind[0] is not ('-' or '_') && !separators.Contains(behind[0]))
            {
                break;
            }

            numbers.Add(next);
            rest = behind;
        }

        return [.. numbers];
    }

    private static bool TryReadNumber(ref ReadOnlySpan<char> rest, out long number)
    {
        var end = rest.IndexOfAnyExceptInRange('0', '9') is >= 0 and var other ? other : rest.Length;
        if (end is 0 or > MaxDigits)
        {
            number = 0;
            return false;
        }

        number = long.Parse(rest[..end], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture);
        rest = rest[end..];
        return true;
    }
}
