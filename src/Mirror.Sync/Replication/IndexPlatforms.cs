using System.Text.Json;
using System.Text.Json.Nodes;
using Mirror.Oci;

namespace Mirror.Sync.Replication;

/// <summary>Which children of an index a job copies, and what becomes of the index.</summary>
internal static class IndexPlatforms
{
    /// <summary>On a smaller index: the digest of the one that it was made from.</summary>
    public const string OriginalDigest = "mirror.index.original.digest";

    /// <summary>What BuildKit writes on an attestation in an index: the image that it is about.</summary>
    private const string AttestationSubject = "vnd.docker.reference.digest";

    /// <summary>
    /// The children for the platforms, those that are for no platform, and attestations of these. All where no platform is named; none where no
    /// image is for any of them.
    /// </summary>
    public static IReadOnlyList<Descriptor> Choose(IReadOnlyList<Descriptor> children, IReadOnlyList<Platform> platforms)
    {
        if (platforms.Count == 0)
        {
            return children;
        }

        var images = children.Where(child => child.Platform is { } platform && platforms.Any(wanted => wanted.Includes(platform)))
            .Select(child => child.Digest).ToHashSet();
        return images.Count == 0 && children.Any(child => child.Platform is not null) ? [] : [.. children.Where(child =>
            images.Contains(child.Digest)
            || (AboutWhat(child) is { } subject ? images.Contains(subject) : child.Platform is null))];
    }

    /// <summary>An index of these children alone, with all else that the original says. The same children give the same bytes.</summary>
    public static Manifest Rewrite(Manifest index, IReadOnlyList<Descriptor> chosen)
    {
        var kept = chosen.Select(child => child.Digest.ToString()).ToHashSet(StringComparer.Ordinal);
        var json = JsonNode.Parse(index.Content.Span)!.AsObject();
        var children = json["manifests"]!.AsArray();
        for (var i = children.Count - 1; i >= 0; i--)
        {
            if (!kept.Contains((string)children[i]!["digest"]!))
            {
                children.RemoveAt(i);
            }
        }

        var annotations = json["annotations"] as JsonObject ?? [];
        annotations[OriginalDigest] = index.Digest.ToString();
        json["annotations"] = annotations;
        return Manifest.TryParse(JsonSerializer.SerializeToUtf8Bytes(json), index.MediaType, index.Digest.Algorithm, out var rewritten, out var fault)
            ? rewritten
            : throw new CopyFailedException($"the smaller index can not be made: {fault}");
    }

    private static Digest? AboutWhat(Descriptor child) =>
        child.Annotations.TryGetValue(AttestationSubject, out var text) && Digest.TryParse(text, out var digest) ? digest : null;
}
