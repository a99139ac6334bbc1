using System.Text.Json;
using System.Text.Json.Nodes;
using Mirror.Oci;

namespace Mirror.Sync.Replication;

/// <summary>An index with some of another's children.</summary>
internal static class SmallerIndex
{
    /// <summary>The annotation that has the digest of the index that it was made from.</summary>
    public const string OriginalDigest = "mirror.index.original.digest";

    /// <summary>It says all else that the original does. The same children give the same bytes.</summary>
    /// <exception cref="CopyFailedException">It would be larger than a manifest may be.</exception>
    public static Manifest Of(Manifest index, IReadOnlyList<Descriptor> chosen)
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
        var content = JsonSerializer.SerializeToUtf8Bytes(json);
        return Manifest.TryParse(content, index.MediaType, index.Digest.Algorithm, out var smaller, out var fault)
            ? smaller
            : throw new CopyFailedException($"a smaller index can not be made: {fault}");
    }
}
