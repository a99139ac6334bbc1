using System.Diagnostics.CodeAnalysis;
using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>One side of a job: where its repositories are.</summary>
public abstract record Endpoint
{
    public const string LocalName = "local";

    public const string CacheName = "cache";

    private const string DockerHub = "docker.io";

    private Endpoint()
    {
    }

    /// <summary>What all names begin with there, or null.</summary>
    public virtual RepositoryName? Path => null;

    /// <summary>Reads <c>docker.io</c>, <c>registry.example.com/mirror</c>, <c>local</c>, <c>local/team-a</c> and <c>cache</c>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Endpoint? endpoint)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var first = slash < 0 ? text : text[..slash];
        RepositoryName? path = slash >= 0 && RepositoryName.TryParse(text.AsSpan(slash + 1), out var behind) ? behind : null;
        var isName = RepositoryName.TryParse(first, out _) && (slash < 0 || path is not null);
        endpoint = !isName ? null
            : first == LocalName ? new Local(path)
            : first != CacheName ? new Registry(first, path)
            : path is null ? new Cache()
            : null;
        return endpoint is not null;
    }

    /// <summary>
    /// The full name there of a repository that a job calls by this name, or null where that is longer than names may be.
    /// </summary>
    public RepositoryName? FindName(RepositoryName name) => this switch
    {
        { Path: { } path } => Join($"{path}", name),
        // Docker Hub keeps its official images under library/, and lets people leave that out.
        Registry { Name: DockerHub } when name.Components.Length == 1 => Join("library", name),
        _ => name,
    };

    /// <summary>What a job calls a repository that is here under this full name, or null where it lies outside the path.</summary>
    public RepositoryName? FindRelative(RepositoryName fullName) =>
        Path is null ? fullName
        : fullName.ToString() is var text && text.StartsWith($"{Path}/", StringComparison.Ordinal)
            && RepositoryName.TryParse(text.AsSpan($"{Path}/".Length), out var relative) ? relative
        : null;

    /// <summary>Whether it is a part of what the other one is.</summary>
    public bool IsBelow(Endpoint other) =>
        Path is { } path && other.FindRelative(path) is not null && (this, other) switch
        {
            (Registry a, Registry b) => a.Name == b.Name,
            (Local, Local) => true,
            _ => false,
        };

    private static RepositoryName? Join(string path, RepositoryName name) =>
        RepositoryName.TryParse($"{path}/{name}", out var joined) ? joined : null;

    /// <param name="Name">What the registry is called in the configuration.</param>
    /// <param name="Path">What all names begin with there, or null.</param>
    public sealed record Registry(string Name, RepositoryName? Path) : Endpoint
    {
        public override RepositoryName? Path { get; } = Path;

        public override string ToString() => Path is null ? Name : $"{Name}/{Path}";
    }

    /// <summary>What is pushed to this mirror.</summary>
    /// <param name="Path">What all names begin with, or null.</param>
    public sealed record Local(RepositoryName? Path) : Endpoint
    {
        public override RepositoryName? Path { get; } = Path;

        public override string ToString() => Path is null ? LocalName : $"{LocalName}/{Path}";
    }

    /// <summary>This mirror's copies of what the source has, which clients pull through it. A target only.</summary>
    public sealed record Cache : Endpoint
    {
        public override string ToString() => CacheName;
    }
}
