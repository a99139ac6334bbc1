using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>
/// What a path asks for: a table to lay beside the distribution spec's. It is read from its end, because names contain slashes and a
/// repository may be called <c>blobs</c>.
/// </summary>
internal abstract record Route
{
    private Route()
    {
    }

    /// <summary>What stood before <c>/v2/</c>, or null.</summary>
    public string? Prefix { get; private init; }

    /// <summary>What can be done there, as the Allow header has it.</summary>
    public virtual string Methods => "GET, HEAD";

    /// <summary>end-1, and the same question of Docker's first API, which it asks before it searches.</summary>
    public sealed record Ping : Route;

    /// <summary>Docker's listing of repositories; the spec reserves the name.</summary>
    public sealed record Catalog : Route;

    /// <summary>The search of Docker's first API; no later one has any.</summary>
    public sealed record Search : Route;

    /// <summary>Nothing of the registry's.</summary>
    public sealed record Nothing : Route;

    /// <summary>The registry's, but wrong.</summary>
    public sealed record Wrong(RegistryError Error) : Route;

    /// <summary>Something of a repository's.</summary>
    public abstract record InRepository(RepositoryName Name) : Route;

    /// <summary>end-2 and end-10</summary>
    public sealed record Blob(RepositoryName Name, Digest Digest) : InRepository(Name)
    {
        public override string Methods => "GET, HEAD, DELETE";
    }

    /// <summary>end-3, end-7 and end-9</summary>
    public sealed record Manifest(RepositoryName Name, Reference Reference) : InRepository(Name)
    {
        public override string Methods => "GET, HEAD, PUT, DELETE";
    }

    /// <summary>end-8</summary>
    public sealed record Tags(RepositoryName Name) : InRepository(Name);

    /// <summary>end-12</summary>
    public sealed record Referrers(RepositoryName Name, Digest Subject) : InRepository(Name);

    /// <summary>end-4 and end-11: where uploads begin.</summary>
    public sealed record Uploads(RepositoryName Name) : InRepository(Name)
    {
        public override string Methods => "POST";
    }

    /// <summary>end-5, end-6, end-13 and end-14: an upload in progress.</summary>
    public sealed record Upload(RepositoryName Name, UploadId Id) : InRepository(Name)
    {
        public override string Methods => "GET, PATCH, PUT, DELETE";
    }

    /// <param name="path">Decoded, with its leading slash.</param>
    /// <param name="isRegistry">Whether a segment names a registry.</param>
    public static Route Parse(string path, Func<string, bool> isRegistry) => path.Split('/') switch
    {
        // What containerd makes of a mirror that is given as https://mirror/v2/ghcr.io: it adds another /v2.
        ["", "v2", var prefix, "v2", .. var rest] when isRegistry(prefix) => OfRest(rest) with { Prefix = prefix },
        ["", "v2", .. var rest] => OfRest(rest),
        ["", var prefix, "v2", .. var rest] when isRegistry(prefix) => OfRest(rest) with { Prefix = prefix },
        ["", "v1", "_ping"] => new Ping(),
        ["", "v1", "search"] => new Search(),
        _ => new Nothing(),
    };

    private static Route OfRest(string[] rest) => rest switch
    {
        [] or [""] => new Ping(),
        ["_catalog"] => new Catalog(),
        [.. var name, "tags", "list"] => Named(name, parsed => new Tags(parsed)),
        [.. var name, "blobs", "uploads"] => Named(name, parsed => new Uploads(parsed)),
        [.. var name, "blobs", "uploads", ""] => Named(name, parsed => new Uploads(parsed)),
        [.. var name, "blobs", "uploads", var id] => Named(name, parsed => UploadId.TryParse(id, out var upload)
            ? new Upload(parsed, upload)
            : new Wrong(RegistryError.BlobUploadUnknown)),
        [.. var name, "blobs", var digest] => Named(name, parsed => Digest.TryParse(digest, out var d)
            ? new Blob(parsed, d)
            : new Wrong(RegistryError.DigestInvalid)),
        [.. var name, "referrers", var digest] => Named(name, parsed => Digest.TryParse(digest, out var d)
            ? new Referrers(parsed, d)
            : new Wrong(RegistryError.DigestInvalid)),
        [.. var name, "manifests", var reference] => Named(name, parsed => Reference.TryParse(reference, out var r)
            ? new Manifest(parsed, r)
            : new Wrong(reference.Contains(':', StringComparison.Ordinal) ? RegistryError.DigestInvalid : RegistryError.TagInvalid)),
        _ => new Wrong(RegistryError.NotFound),
    };

    private static Route Named(string[] components, Func<RepositoryName, Route> route) =>
        RepositoryName.TryParse(string.Join('/', components), out var name) ? route(name) : new Wrong(RegistryError.NameInvalid);
}
