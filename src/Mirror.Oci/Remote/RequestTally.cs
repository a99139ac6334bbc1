using System.Collections.Concurrent;

namespace Mirror.Oci.Remote;

/// <summary>
/// Counts the requests that a piece of work makes to registries, as they see them: each attempt, each page, and what an upload takes. It
/// goes along with the flow of that work, so that others who ask the same registry meanwhile are not counted.
/// </summary>
public sealed class RequestTally
{
    private static readonly AsyncLocal<RequestTally?> Flow = new();

    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);

    /// <summary>What counts from here on in this flow; null for nothing.</summary>
    public static RequestTally? Current
    {
        get => Flow.Value;
        set => Flow.Value = value;
    }

    /// <param name="registry">Its name in the configuration.</param>
    public int Of(string registry) => _counts.GetValueOrDefault(registry);

    internal static void Count(string registry) => Current?._counts.AddOrUpdate(registry, 1, (_, count) => count + 1);
}
