using System.Globalization;

namespace Mirror.Registry;

/// <summary>
/// The Content-Range of a chunk that is pushed (distribution spec, "Pushing a blob in chunks"): <c>0-1023</c>, without the unit and the total that HTTP
/// would have, which are accepted too.
/// </summary>
/// <param name="Start">Its first byte.</param>
/// <param name="Length">How many.</param>
internal readonly record struct ContentRange(long Start, long Length)
{
    /// <returns>Null where it is none.</returns>
    public static ContentRange? Find(string header)
    {
        var text = header.AsSpan().Trim();
        text = text.StartsWith("bytes ", StringComparison.OrdinalIgnoreCase) ? text[6..] : text;
        var slash = text.IndexOf('/');
        text = slash < 0 ? text : text[..slash];
        var dash = text.IndexOf('-');
        return dash > 0
            && long.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && long.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            && last >= first && last < long.MaxValue
            ? new ContentRange(first, last - first + 1)
            : null;
    }
}
