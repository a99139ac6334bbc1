using System.Globalization;

namespace Mirror.Configuration.Reading;

/// <summary>
/// <c>512MB 100GB</c>: a whole number and a unit, or <c>0</c>. The units are powers of 1000, as on disks and lines: a limit is then never
/// more than what was meant.
/// </summary>
internal static class Sizes
{
    /// <summary>The larger first: a size is written in the largest that it is a multiple of.</summary>
    private static readonly (string Name, long Bytes)[] Units =
    [
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1000),
        ("B", 1),
    ];

    public static Parsed<long> Parse(string text)
    {
        if (text == "0")
        {
            return Parsed.Right(0L);
        }

        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        var unit = digits > 0 ? Array.Find(Units, u => u.Name == text[digits..]) : default;
        if (unit.Name is null)
        {
            return Parsed.Wrong<long>("is not a size: write a whole number and a unit, such as 64KB, 512MB, 100GB or 2TB");
        }

        return long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count <= long.MaxValue / unit.Bytes
            ? Parsed.Right(count * unit.Bytes)
            : Parsed.Wrong<long>($"is too large: write at most {long.MaxValue / Units[0].Bytes}{Units[0].Name}");
    }

    public static string Write(long bytes)
    {
        var unit = Array.Find(Units, u => bytes % u.Bytes == 0 && bytes != 0);
        return unit.Name is null ? "0" : $"{bytes / unit.Bytes}{unit.Name}";
    }
}
