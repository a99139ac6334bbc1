using System.Globalization;

namespace Mirror.Configuration.Reading;

/// <summary><c>500ms 30s 5m 12h 7d</c>: a whole number and a unit.</summary>
internal static class Durations
{
    /// <summary>A century: more than anybody means, and little enough to be added to a date.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(36500);

    /// <summary>The larger first: a duration is written in the largest that it is a multiple of.</summary>
    private static readonly (string Name, TimeSpan Length)[] Units =
    [
        ("d", TimeSpan.FromDays(1)),
        ("h", TimeSpan.FromHours(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("ms", TimeSpan.FromMilliseconds(1)),
    ];

    public static Parsed<TimeSpan> Parse(string text)
    {
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        var unit = digits > 0 ? Array.Find(Units, u => u.Name == text[digits..]) : default;
        if (unit.Name is null)
        {
            return Parsed.Wrong<TimeSpan>("is not a duration: write a whole number and a unit, such as 500ms, 30s, 5m, 12h or 7d");
        }

        return long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count <= Longest / unit.Length
            ? Parsed.Right(unit.Length * count)
            : Parsed.Wrong<TimeSpan>($"is too long: write at most {Write(Longest)}");
    }

    public static string Write(TimeSpan duration)
    {
        var unit = Array.Find(Units, u => duration.Ticks % u.Length.Ticks == 0 && duration != TimeSpan.Zero);
        return unit.Name is null ? "0s" : $"{duration.Ticks / unit.Length.Ticks}{unit.Name}";
    }
}
