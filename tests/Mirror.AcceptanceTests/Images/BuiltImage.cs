using System.Text.Json.Nodes;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Images;

/// <summary>An image whose layers are archives, so that clients can unpack and run it.</summary>
internal sealed class BuiltImage
{
    private BuiltImage(TestBlob manifest, TestBlob config, IReadOnlyList<ImageLayer> layers) =>
        (Manifest, Config, Layers) = (manifest, config, layers);

    public TestBlob Manifest { get; }

    public TestBlob Config { get; }

    public IReadOnlyList<ImageLayer> Layers { get; }

    public Digest Digest => Manifest.Digest;

    /// <summary>Config and layers, without the manifest.</summary>
    public IEnumerable<TestBlob> Blobs => Layers.Select(layer => layer.Blob).Prepend(Config);

    /// <summary>The manifest too.</summary>
    public IEnumerable<TestBlob> AllBlobs => Blobs.Append(Manifest);

    public static BuiltImage Of(Platform platform, IReadOnlyList<string> command, params IReadOnlyList<ImageLayer> layers)
    {
        var config = ToBlob(MediaTypes.OciConfig, new JsonObject
        {
            ["architecture"] = platform.Architecture,
            ["os"] = platform.OS,
            ["config"] = new JsonObject { ["Cmd"] = ArrayOf(command) },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = ArrayOf(layers.Select(layer => $"{layer.DiffId}")) },
        });
        var manifest = ToBlob(MediaTypes.OciManifest, new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciManifest,
            ["config"] = ToJson(config.Descriptor),
            ["layers"] = new JsonArray([.. layers.Select(layer => ToJson(layer.Blob.Descriptor))]),
        });
        return new BuiltImage(manifest with { Descriptor = manifest.Descriptor with { Platform = platform } }, config, layers);
    }

    /// <summary>An index of images for different platforms.</summary>
    public static TestBlob IndexOf(params IReadOnlyList<BuiltImage> images) => ToBlob(MediaTypes.OciIndex, new JsonObject
    {
        ["schemaVersion"] = 2,
        ["mediaType"] = MediaTypes.OciIndex,
        ["manifests"] = new JsonArray([.. images.Select(image => ToJson(image.Manifest.Descriptor))]),
    });

    public static JsonObject ToJson(Descriptor descriptor)
    {
        var json = new JsonObject
        {
            ["mediaType"] = descriptor.MediaType,
            ["digest"] = $"{descriptor.Digest}",
            ["size"] = descriptor.Size,
        };
        if (descriptor.Platform is { } platform)
        {
            json["platform"] = new JsonObject { ["architecture"] = platform.Architecture, ["os"] = platform.OS };
        }

        return json;
    }

    private static TestBlob ToBlob(string mediaType, JsonObject json) =>
        TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), mediaType);

    private static JsonArray ArrayOf(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);
}
