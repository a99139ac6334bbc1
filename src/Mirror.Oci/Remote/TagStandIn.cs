using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mirror.Oci.Remote;

/// <summary>
/// What a tag points to while it is taken away at a registry that deletes manifests alone, each with all its tags: an image of nothing, which no
/// other tag has.
/// </summary>
public static class TagStandIn
{
    /// <summary>Its annotation, which says of which tag it is.</summary>
    public const string RemovedTag = "mirror.tag.removed";

    /// <summary>What an image of nothing is configured with (image spec, "Guidance for an Empty Descriptor").</summary>
    internal static ReadOnlyMemory<byte> Config { get; } = "{}"u8.ToArray();

    internal static Descriptor ConfigDescriptor { get; } = new(MediaTypes.OciConfig, Digest.Sha256(Config.Span), Config.Length);

    /// <summary>The same each time, so that who finds it knows what it is.</summary>
    public static Manifest Of(RepositoryName repository, Tag tag)
    {
        var json = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciManifest,
            ["config"] = new JsonObject
            {
                ["mediaType"] = ConfigDescriptor.MediaType,
                ["digest"] = ConfigDescriptor.Digest.ToString(),
                ["size"] = ConfigDescriptor.Size,
            },
            ["layers"] = new JsonArray(),
            ["annotations"] = new JsonObject { [RemovedTag] = $"{repository}:{tag}" },
        };
        return Manifest.TryParse(
            JsonSerializer.SerializeToUtf8Bytes(json), MediaTypes.OciManifest, DigestAlgorithm.Sha256, out var manifest, out var fault)
            ? manifest
            : throw new InvalidOperationException(fault);
    }
}
