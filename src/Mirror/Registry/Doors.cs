using Microsoft.AspNetCore.Http;
using Mirror.Caching;
using Mirror.Oci;

namespace Mirror.Registry;

/// <summary>A registry, and what reaches it beside its name.</summary>
/// <param name="Upstream">The registry.</param>
/// <param name="Url">Where it is: a <c>ns</c> may say that instead of the name.</param>
/// <param name="Host">Requests to this host mean it, if there is one.</param>
/// <param name="Default">Whether names that say no registry mean it.</param>
public sealed record Door(Upstream Upstream, Uri Url, string? Host, bool Default);

/// <summary>What a request says of its registry beside the repository's name, which may name one too.</summary>
/// <param name="Prefix">What stands before <c>/v2/</c>, or null.</param>
/// <param name="Host">The Host header without its port.</param>
/// <param name="Namespace">The query's <c>ns</c> (distribution spec, "Registry Proxying"), or null.</param>
internal sealed record Entrance(string? Prefix, string Host, string? Namespace)
{
    public static Entrance Of(HttpRequest request, Route route) =>
        new(route.Prefix, request.Host.Host, request.Query["ns"].ToString() is { Length: > 0 } ns ? ns : null);
}

/// <summary>What a name means.</summary>
internal abstract record Place
{
    private Place()
    {
    }

    /// <summary>The name that rules speak of.</summary>
    public abstract string FullName { get; }

    /// <summary>A repository of an upstream.</summary>
    public sealed record Elsewhere(UpstreamRepository Repository) : Place
    {
        public override string FullName => $"{Repository.Key}";
    }

    /// <summary>A repository of our own.</summary>
    public sealed record Own(RepositoryName Name) : Place
    {
        public override string FullName => $"{Name}";
    }
}

/// <summary>
/// How a request names its registry. The first of these that names one decides: a prefix before <c>/v2/</c>, the Host header, the first segment
/// of the repository's name, <c>ns</c>, a name of our own, and at last the default registry. Only configured registries can be named.
/// </summary>
internal sealed class Doors
{
    private const string DockerHub = "docker.io";

    private readonly Dictionary<string, Upstream> _byName;
    private readonly Dictionary<string, Upstream> _byHost;
    private readonly Dictionary<string, Upstream> _byNamespace;
    private readonly Upstream? _default;
    private readonly IReadOnlyList<RepositoryPattern> _own;
    private readonly Func<RepositoryName, bool> _isHere;

    /// <param name="doors">Every registry that may be pulled through, in the order of the configuration.</param>
    /// <param name="own">Names that are our own.</param>
    /// <param name="isHere">Whether a name of our own has something to be pulled.</param>
    public Doors(IReadOnlyList<Door> doors, IReadOnlyList<RepositoryPattern> own, Func<RepositoryName, bool> isHere)
    {
        _own = own;
        _isHere = isHere;
        _byName = doors.ToDictionary(door => door.Upstream.Name, door => door.Upstream);
        if (_byName.TryGetValue(DockerHub, out var hub))
        {
            _byName["index.docker.io"] = hub;
            _byName["registry-1.docker.io"] = hub;
        }

        _byHost = doors.Where(door => door.Host is not null)
            .ToDictionary(door => door.Host!, door => door.Upstream, StringComparer.OrdinalIgnoreCase);
        _byNamespace = new Dictionary<string, Upstream>(_byName, StringComparer.OrdinalIgnoreCase);
        // A registry behind a path is only a part of what its host's name means to a client.
        foreach (var door in doors.Where(door => door.Url.AbsolutePath == "/"))
        {
            _byNamespace.TryAdd(door.Url.Authority, door.Upstream);
            _byNamespace.TryAdd($"{door.Url.Host}:{door.Url.Port}", door.Upstream);
        }

        _default = doors.FirstOrDefault(door => door.Default)?.Upstream;
    }

    /// <summary>Names that are our own.</summary>
    public IReadOnlyList<RepositoryPattern> Own => _own;

    /// <summary>Whether a segment of a path names a registry.</summary>
    public bool IsRegistry(string segment) => _byName.ContainsKey(segment);

    /// <summary>Whether the host is what says the registry: what leads on from the answer has to lead to the same host.</summary>
    public bool IsMeantByHost(Entrance entrance) => entrance.Prefix is null && _byHost.ContainsKey(entrance.Host);

    /// <summary>Whether only the repository's name says what is meant.</summary>
    public bool IsPlain(Entrance entrance) => entrance.Namespace is null && FindOutside(entrance) is null;

    /// <summary>Whether a request says no registry at all, also not at the beginning of the repository's name, and can not mean our own either.</summary>
    public bool LeavesRegistryOpen(Entrance entrance, RepositoryName name) =>
        entrance.Namespace is null && FindNamed(entrance, name) is null && !IsOwn(name);

    public Upstream? FindNamespace(string ns) => _byNamespace.GetValueOrDefault(ns);

    /// <summary>The registry that the whole request is about, where something before or behind the path's repository says so.</summary>
    public Upstream? FindRegistry(Entrance entrance) =>
        FindOutside(entrance) ?? (entrance.Namespace is null ? null : FindNamespace(entrance.Namespace));

    /// <summary>What an image's name means as people write it, or null where it names no configured registry.</summary>
    public Place? Find(ImageName image) => Find(new Entrance(Prefix: null, Host: "", Namespace: image.Authority), image.Repository);

    /// <summary>
    /// What a request reads from, or null where it names no configured registry. A name of one segment is our own while there is a manifest in it,
    /// and else the default registry's; a longer one that is our own is never anybody else's.
    /// </summary>
    public Place? Find(Entrance entrance, RepositoryName name)
    {
        if (FindNamed(entrance, name) is { } named)
        {
            return new Place.Elsewhere(named);
        }

        if (entrance.Namespace is not null)
        {
            return null;
        }

        return IsOwn(name) && (FindBehind(name) is null || _isHere(name)) ? new Place.Own(name)
            : FindInDefault(name) is { } repository ? new Place.Elsewhere(repository)
            : null;
    }

    /// <summary>Whether a name is one of our own for who asks at the root.</summary>
    public bool IsOwnAtRoot(RepositoryName name) => FindOwn(new Entrance(Prefix: null, Host: "", Namespace: null), name) is not null;

    /// <summary>The repository of our own that a request changes, or null where its name is another registry's.</summary>
    public RepositoryName? FindOwn(Entrance entrance, RepositoryName name) =>
        entrance.Namespace is null && FindNamed(entrance, name) is null && IsOwn(name) ? name : null;

    /// <summary>What a name of our own means while there is no manifest in it, if that is the default registry's.</summary>
    public UpstreamRepository? FindBehind(RepositoryName own) => own.Components.Length == 1 ? FindInDefault(own) : null;

    private bool IsOwn(RepositoryName name) => _own.Any(pattern => pattern.Matches(name.ToString()));

    /// <summary>The repository of the registry that the request names, in whatever way.</summary>
    private UpstreamRepository? FindNamed(Entrance entrance, RepositoryName name)
    {
        if (FindOutside(entrance) is { } outside)
        {
            return RepositoryOf(outside, name);
        }

        var text = name.ToString();
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash > 0 && _byName.TryGetValue(text[..slash], out var first) && RepositoryName.TryParse(text.AsSpan(slash + 1), out var rest))
        {
            return RepositoryOf(first, rest);
        }

        return entrance.Namespace is { } ns && FindNamespace(ns) is { } meant && !IsForeign(meant, name) ? RepositoryOf(meant, name) : null;
    }

    private UpstreamRepository? FindInDefault(RepositoryName name) =>
        _default is null || IsForeign(_default, name) ? null : RepositoryOf(_default, name);

    /// <summary>Docker Hub has no names with a dot before the slash: such is another registry's, and no business of Docker Hub's.</summary>
    private static bool IsForeign(Upstream upstream, RepositoryName name) =>
        upstream.Name == DockerHub && name.Components.Length > 1 && name.Components[0].Contains('.', StringComparison.Ordinal);

    private Upstream? FindOutside(Entrance entrance) =>
        entrance.Prefix is not null ? _byName.GetValueOrDefault(entrance.Prefix) : _byHost.GetValueOrDefault(entrance.Host);

    /// <summary>Docker Hub keeps its official images under <c>library/</c>, and lets people leave that out.</summary>
    private static UpstreamRepository RepositoryOf(Upstream upstream, RepositoryName name) =>
        upstream.Name == DockerHub && name.Components.Length == 1 && RepositoryName.TryParse($"library/{name}", out var official)
            ? new UpstreamRepository(upstream, official)
            : new UpstreamRepository(upstream, name);
}
