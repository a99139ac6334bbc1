using System.Globalization;

namespace Mirror.Oci.Remote;

/// <summary>A registry's quota for us, as it last said (<c>ratelimit-limit: 100;w=21600</c>). Docker Hub counts manifests that are fetched.</summary>
/// <param name="Limit">How many a window has.</param>
/// <param name="Remaining">How many of them were left.</param>
/// <param name="Window">How long a window is, where the registry says.</param>
/// <param name="SeenAt">When it said so.</param>
public sealed record RateLimit(long Limit, long Remaining, TimeSpan? Window, DateTimeOffset SeenAt)
{
    /// <summary>What the headers say, or null where they say nothing that can be read.</summary>
    internal static RateLimit? Find(HttpResponseMessage response, DateTimeOffset now) =>
        TryParse(response, "RateLimit-Limit", out var limit, out var window) && TryParse(response, "RateLimit-Remaining", out var remaining, out _)
            ? new RateLimit(limit, remaining, window, now)
            : null;

    private static bool TryParse(HttpResponseMessage response, string header, out long count, out TimeSpan? window)
    {
        (count, window) = (0, null);
        var text = response.Headers.NonValidated.TryGetValues(header, out var values) ? values.ToString() : "";
        var parts = text.Split(';', StringSplitOptions.TrimEntries);
        foreach (var part in parts.AsSpan(1))
        {
            if (part.StartsWith("w=", StringComparison.OrdinalIgnoreCase)
                && int.TryParse(part.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            {
                window = TimeSpan.FromSeconds(seconds);
            }
        }

        return long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out count);
    }
}
