using Mirror.Caching;
using Mirror.Oci;

namespace Mirror.Registry;

/// <summary>
/// How a request names its upstream: by a prefix before <c>/v2/</c>, by the first segment of the repository's name, or not at all, which
/// means the default registry. Only configured registries can be named.
/// </summary>
public sealed class Doors
{
    private const string DockerHub = "docker.io";

    private readonly Dictionary<string, Upstream> _byName;
    private readonly Upstream? _default;

    /// <param name="upstreams">Every registry that may be pulled through.</param>
    /// <param name="defaultUpstream">Where names go that name no registry, if anywhere.</param>
    public Doors(IEnumerable<Upstream> upstreams, Upstream? defaultUpstream)
    {
        _byName = upstreams.ToDictionary(upstream => upstream.Name);
        _default = defaultUpstream;
        if (_byName.TryGetValue(DockerHub, out var hub))
        {
            _byName["index.docker.io"] = hub;
            _byName["registry-1.docker.io"] = hub;
        }
    }

    /// <summary>The registry that something before <c>/v2/</c> names, if it does.</summary>
    public Upstream? FindPrefix(string? prefix) => prefix is null ? null : _byName.GetValueOrDefault(prefix);

    /// <summary>The repository that a request means, or null where it means no configured registry.</summary>
    public UpstreamRepository? Find(string? prefix, RepositoryName name)
    {
        if (prefix is not null)
        {
            return FindPrefix(prefix) is { } named ? RepositoryOf(named, name) : null;
        }

        var text = name.ToString();
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash > 0 && _byName.TryGetValue(text[..slash], out var first) && RepositoryName.TryParse(text.AsSpan(slash + 1), out var rest))
        {
            return RepositoryOf(first, rest);
        }

        // Docker Hub has no names with a dot before the slash: this is another registry's, whose names are no business of Docker Hub's.
        var isForeign = _default?.Name == DockerHub && slash > 0 && text.AsSpan(0, slash).Contains('.');
        return _default is null || isForeign ? null : RepositoryOf(_default, name);
    }

    /// <summary>Docker Hub keeps its official images under <c>library/</c>, and lets people leave that out.</summary>
    private static UpstreamRepository RepositoryOf(Upstream upstream, RepositoryName name) =>
        upstream.Name == DockerHub && name.Components.Length == 1 && RepositoryName.TryParse($"library/{name}", out var official)
            ? new UpstreamRepository(upstream, official)
            : new UpstreamRepository(upstream, name);
}
