using System.Diagnostics.CodeAnalysis;

namespace Mirror.Oci;

/// <summary>
/// An image as people name it: <c>alpine</c>, <c>ghcr.io/org/app:1.2</c>, <c>127.0.0.1:5001/app@sha256:…</c>. Whether the name's first
/// component is a registry is for those to say who know the registries.
/// </summary>
/// <param name="Authority">A host with a port that stands before the name: no repository's name can hold that. Else null.</param>
/// <param name="Repository">The rest of the name.</param>
/// <param name="Reference">The digest where there is one, else the tag, else <c>latest</c>.</param>
public sealed record ImageName(string? Authority, RepositoryName Repository, Reference Reference)
{
    private static readonly Tag Latest = Tag.Parse("latest");

    /// <summary>Whether the name says a digest or a tag, and <c>latest</c> is not only meant.</summary>
    public bool SaysReference { get; private init; }

    public static bool TryParse(string text, [NotNullWhen(true)] out ImageName? image)
    {
        image = null;
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var named = at < 0 ? text : text[..at];
        var colon = named.LastIndexOf(':');
        var hasTag = colon > named.LastIndexOf('/');
        var tag = Latest;
        Digest digest = default;
        if ((hasTag && !Tag.TryParse(named.AsSpan(colon + 1), out tag)) || (at >= 0 && !Digest.TryParse(text.AsSpan(at + 1), out digest)))
        {
            return false;
        }

        var path = hasTag ? named[..colon] : named;
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var authority = slash > 0 && path[..slash].Contains(':', StringComparison.Ordinal) ? path[..slash] : null;
        if (!RepositoryName.TryParse(authority is null ? path : path[(slash + 1)..], out var repository))
        {
            return false;
        }

        image = new ImageName(authority, repository, at < 0 ? tag : digest) { SaysReference = hasTag || at >= 0 };
        return true;
    }
}
