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

    /// <summary>What may be pulled through. Empty: everything.</summary>
    public IReadOnlyList<RepositoryPattern> Allow { get; init; } = [];
}
