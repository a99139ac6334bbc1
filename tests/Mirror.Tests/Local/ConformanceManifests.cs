using System.Text.Json.Nodes;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>Manifests of all the kinds that the distribution spec's own suite pushes, and some that it has to see refused.</summary>
internal static class ConformanceManifests
{
    public static Dictionary<string, TestBlob> All(TestImage image)
    {
        var missing = new Descriptor(MediaTypes.OciManifest, Digest.Sha256("never pushed"u8), 12);
        var missingLayer = missing with { MediaType = MediaTypes.OciLayerGzip };
        var foreign = missing with { MediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" };
        var child = image.Manifest.Descriptor with { Platform = null };
        return new()
        {
            ["index"] = Index([child]),
            ["sparseIndex"] = Index([child, missing]),
            ["indexOfSubject"] = Index([child], manifest => manifest["subject"] = Json(child)),
            ["indexOfWrongSize"] = Index([child with { Size = child.Size + 1 }]),
            ["artifact"] = Image([], manifest => manifest["artifactType"] = "application/x.artifact"),
            ["noLayers"] = Image([]),
            ["foreignLayer"] = Image([foreign]),
            ["emptyLayer"] = Image([TestBlob.Of(ReadOnlyMemory<byte>.Empty).Descriptor]),
            ["ofSubject"] = Image([], manifest => manifest["subject"] = Json(child)),
            ["ofMissingSubject"] = Image([], manifest => manifest["subject"] = Json(missing)),
            ["missingSubject"] = TestBlob.Of("never pushed"u8.ToArray()),
            ["withData"] = Image([], manifest => manifest["config"]!["data"] = Convert.ToBase64String(image.Config.Content.Span)),
            ["withMore"] = Image([], manifest => manifest["org.example.more"] = new JsonObject { ["of"] = "anything" }),
            ["fresh"] = Image([], manifest => manifest["annotations"] = new JsonObject { ["fresh"] = "yes" }),
            ["lackingLayer"] = Image([missingLayer]),
            ["ofWrongSize"] = Image([image.Layer.Descriptor with { Size = 999 }]),
            ["large"] = Padded(3_900_000),
            ["largest"] = Padded(Manifest.MaxSize),
            ["tooLarge"] = Padded(Manifest.MaxSize + 1),
        };

        TestBlob Image(IEnumerable<Descriptor> layers, Action<JsonObject>? change = null) => Of(
            MediaTypes.OciManifest,
            new JsonObject { ["config"] = Json(image.Config.Descriptor), ["layers"] = new JsonArray([.. layers.Select(Json)]) },
            change);

        TestBlob Padded(int size)
        {
            var bare = Image([], manifest => manifest["padding"] = "");
            return Image([], manifest => manifest["padding"] = new string('x', size - (int)bare.Size));
        }
    }

    private static TestBlob Index(IEnumerable<Descriptor> children, Action<JsonObject>? change = null) =>
        Of(MediaTypes.OciIndex, new JsonObject { ["manifests"] = new JsonArray([.. children.Select(Json)]) }, change);

    private static TestBlob Of(string mediaType, JsonObject manifest, Action<JsonObject>? change)
    {
        manifest["schemaVersion"] = 2;
        manifest["mediaType"] = mediaType;
        change?.Invoke(manifest);
        return TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(manifest.ToJsonString()), mediaType);
    }

    private static JsonNode Json(Descriptor descriptor) => new JsonObject
    {
        ["mediaType"] = descriptor.MediaType,
        ["digest"] = $"{descriptor.Digest}",
        ["size"] = descriptor.Size,
    };
}
