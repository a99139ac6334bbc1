using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>A registry to pull from.</summary>
/// <param name="Remote">How to reach it.</param>
/// <param name="Freshness">How long what it says of a tag counts.</param>
public sealed record UpstreamOptions(RemoteRegistryOptions Remote, Freshness Freshness)
{
    /// <summary>Whether everybody may see what our credentials can read there.</summary>
    public bool SharesAll { get; init; }

    /// <summary>Whether it is never contacted: there is only what is here.</summary>
    public bool IsOffline { get; init; }

    /// <summary>How many bytes all downloads together may still lack that go on although their clients have left.</summary>
    public long FinishAbandoned { get; init; }

    /// <summary>Up to which size, in bytes, an image is fetched whole when a client reads a layer of it.</summary>
    public long Complete { get; init; }

    /// <summary>What may be pulled through. Empty: everything.</summary>
    public IReadOnlyList<RepositoryPattern> Allow { get; init; } = [];
}
