using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Mirror.Oci.Remote;

/// <summary>
/// An upload that was begun at a registry. Who keeps it can go on with it, also in another process; how far it has come is then asked first.
/// </summary>
/// <param name="Location">
/// Where the registry wants the rest, absolute and byte for byte as it said: some keep their state, signed, in the query. It may be a secret, and
/// is not shown by <see cref="ToString"/>.
/// </param>
/// <param name="Offset">How many bytes the registry is known to have.</param>
/// <param name="ChunkMinLength">The least that the registry takes in a chunk other than the last, where it said so.</param>
public sealed record RemoteUpload(string Location, long Offset, long? ChunkMinLength)
{
    public override string ToString() => $"upload at byte {Offset}";
}

/// <summary>Reads where a registry wants an upload to go on.</summary>
internal static class UploadLocation
{
    // The framework would write some escapes in another way, which the state's signature does not survive.
    private static readonly UriCreationOptions Verbatim = new() { DangerousDisablePathAndQueryCanonicalization = true };

    /// <param name="text">The Location header: absolute, or relative to what was asked.</param>
    /// <param name="asked">What was asked.</param>
    /// <param name="location">The absolute form, if the answer is true.</param>
    public static bool TryResolve(string? text, Uri asked, [NotNullWhen(true)] out Uri? location)
    {
        location = null;
        // It becomes part of a request line as it is.
        return text is { Length: > 0 } && text.All(c => c is > ' ' and <= '~') && TryParse(Absolute(text.Split('#')[0], asked), out location);
    }

    public static bool TryParse(string text, [NotNullWhen(true)] out Uri? location) =>
        Uri.TryCreate(text, Verbatim, out location) && location.IsAbsoluteUri && location.Scheme is "http" or "https";

    /// <summary>The location with the digest behind what it has of a query.</summary>
    public static Uri WithDigest(string location, Digest digest)
    {
        var separator = !location.Contains('?', StringComparison.Ordinal) ? "?" : location[^1] is '?' or '&' ? "" : "&";
        return new Uri($"{location}{separator}digest={Uri.EscapeDataString(digest.ToString())}", Verbatim);
    }

    /// <summary>How many bytes a registry says it has: one more than the last of <c>0-99</c>, which also stands for none. Null where it does not say.</summary>
    public static long? FindLength(HttpResponseMessage response)
    {
        var text = response.Headers.NonValidated.TryGetValues("Range", out var values) ? values.ToString() : "";
        var range = text.StartsWith("bytes=", StringComparison.OrdinalIgnoreCase) ? text["bytes=".Length..] : text;
        return range.Split('-') is ["0", var last] && long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var position)
            && position < long.MaxValue ? position + 1 : null;
    }

    private static string Absolute(string text, Uri asked)
    {
        var origin = asked.GetLeftPart(UriPartial.Authority);
        var path = asked.AbsolutePath;
        return text.Contains("://", StringComparison.Ordinal) && !text.StartsWith('/') && !text.StartsWith('?') ? text
            : text.StartsWith("//", StringComparison.Ordinal) ? $"{asked.Scheme}:{text}"
            : text[0] == '/' ? origin + text
            : text[0] == '?' ? origin + path + text
            : origin + path[..(path.LastIndexOf('/') + 1)] + text;
    }
}
