using System.Globalization;

namespace Mirror.Registry;

/// <summary>The part of a blob that a request wants: from <paramref name="Start"/> up to, not including, <paramref name="End"/>.</summary>
internal readonly record struct ByteRange(long Start, long End)
{
    public long Length => End - Start;

    /// <summary>
    /// Reads a Range header against a size (RFC 9110, 14.2). What is no range of bytes, and several ranges at once, may be ignored: the
    /// answer is then the whole content. A first position behind the last is unsatisfiable rather than ignored, as registries have it.
    /// </summary>
    /// <param name="header">The header's value; null or empty if there is none.</param>
    /// <param name="size">Of the whole content.</param>
    /// <param name="range">The range, or the whole content.</param>
    /// <returns>Partial, whole or unsatisfiable.</returns>
    public static RangeKind Read(string? header, long size, out ByteRange range)
    {
        range = new ByteRange(0, size);
        const string unit = "bytes=";
        if (string.IsNullOrEmpty(header) || !header.StartsWith(unit, StringComparison.OrdinalIgnoreCase))
        {
            return RangeKind.Whole;
        }

        var text = header.AsSpan(unit.Length).Trim();
        var dash = text.IndexOf('-');
        if (dash < 0 || text.Contains(','))
        {
            return RangeKind.Whole;
        }

        var first = Position(text[..dash]);
        var last = Position(text[(dash + 1)..]);
        return (first, last) switch
        {
            (null, _) or (_, null) or (Absent, Absent) => RangeKind.Whole,
            (Absent, { } suffix) => Satisfy(size - Math.Min(suffix, size), size, out range),
            ({ } start, Absent) => Satisfy(start, size, out range),
            ({ } start, { } end) => start > end ? RangeKind.Unsatisfiable : Satisfy(start, end >= size ? size : end + 1, out range),
        };
    }

    private const long Absent = -1;

    private static RangeKind Satisfy(long start, long end, out ByteRange range)
    {
        range = new ByteRange(start, end);
        return start < end ? RangeKind.Partial : RangeKind.Unsatisfiable;
    }

    /// <summary>A position, <see cref="Absent"/> where there is none, or null where there is something else.</summary>
    private static long? Position(ReadOnlySpan<char> text)
    {
        text = text.Trim();
        if (text.IsEmpty)
        {
            return Absent;
        }

        if (text.ContainsAnyExceptInRange('0', '9'))
        {
            return null;
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var position) ? position : long.MaxValue;
    }
}

internal enum RangeKind
{
    Whole,
    Partial,
    Unsatisfiable,
}
