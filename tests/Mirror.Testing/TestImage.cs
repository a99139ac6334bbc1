using System.Text.Json.Nodes;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>Whose media types an image or index is written with.</summary>
public enum ImageFormat
{
    Oci,
    Docker,
}

/// <summary>An image made in memory. Its layers are not archives: registries do not look into them, clients that unpack do.</summary>
public sealed class TestImage
{
    private const string DockerConfig = "application/vnd.docker.container.image.v1+json";
    private const string DockerLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    private TestImage(TestBlob manifest, TestBlob config, IReadOnlyList<TestBlob> layers) =>
        (Manifest, Config, Layers) = (manifest, config, layers);

    public TestBlob Manifest { get; }

    public TestBlob Config { get; }

    public IReadOnlyList<TestBlob> Layers { get; }

    /// <summary>The first layer.</summary>
    public TestBlob Layer => Layers[0];

    /// <summary>The manifest's.</summary>
    public Digest Digest => Manifest.Digest;

    /// <summary>Config and layers, without the manifest.</summary>
    public IEnumerable<TestBlob> Blobs => Layers.Prepend(Config);

    /// <param name="layers">How many.</param>
    /// <param name="layerSize">Of each, in bytes.</param>
    /// <param name="seed">Images of different seeds share nothing.</param>
    /// <param name="format">The media types.</param>
    /// <param name="platform">linux/amd64 where nothing else is said.</param>
    /// <param name="subject">What the image refers to, as a signature does.</param>
    /// <param name="artifactType">What it is, if not an image to run.</param>
    /// <param name="algorithm">Of its digest, and of all that it refers to.</param>
    public static TestImage Create(
        int layers = 1,
        int layerSize = 64 * 1024,
        int seed = 0,
        ImageFormat format = ImageFormat.Oci,
        Platform? platform = null,
        Descriptor? subject = null,
        string? artifactType = null,
        DigestAlgorithm algorithm = DigestAlgorithm.Sha256)
    {
        platform ??= new Platform("linux", "amd64");
        var isOci = format is ImageFormat.Oci;
        var blobs = Enumerable.Range(1, layers)
            .Select(number => TestBlob.Create(layerSize, HashCode(seed, number), isOci ? MediaTypes.OciLayerGzip : DockerLayer, algorithm))
            .ToList();
        var config = TestBlob.Of(ConfigOf(platform, seed, blobs), isOci ? MediaTypes.OciConfig : DockerConfig, algorithm);
        var manifest = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = isOci ? MediaTypes.OciManifest : MediaTypes.DockerManifest,
            ["config"] = ToJson(config.Descriptor),
            ["layers"] = new JsonArray([.. blobs.Select(blob => ToJson(blob.Descriptor))]),
        };
        AddOptional(manifest, "artifactType", artifactType);
        if (subject is not null)
        {
            manifest["subject"] = ToJson(subject);
        }

        var content = TestBlob.Of(ToBytes(manifest), (string)manifest["mediaType"]!, algorithm);
        var descriptor = content.Descriptor with { Platform = platform, ArtifactType = artifactType };
        return new TestImage(content with { Descriptor = descriptor }, config, blobs);
    }

    internal static byte[] ToBytes(JsonObject json) => System.Text.Encoding.UTF8.GetBytes(json.ToJsonString());

    internal static JsonObject ToJson(Descriptor descriptor)
    {
        var json = new JsonObject
        {
            ["mediaType"] = descriptor.MediaType,
            ["digest"] = descriptor.Digest.ToString(),
            ["size"] = descriptor.Size,
        };
        AddOptional(json, "artifactType", descriptor.ArtifactType);
        if (descriptor.Platform is { } platform)
        {
            var inner = new JsonObject { ["architecture"] = platform.Architecture, ["os"] = platform.OS };
            AddOptional(inner, "variant", platform.Variant);
            json["platform"] = inner;
        }

        if (descriptor.Annotations.Count > 0)
        {
            json["annotations"] = new JsonObject(descriptor.Annotations.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value)));
        }

        return json;
    }

    private static void AddOptional(JsonObject json, string name, string? value)
    {
        if (value is not null)
        {
            json[name] = value;
        }
    }

    private static byte[] ConfigOf(Platform platform, int seed, List<TestBlob> layers) => ToBytes(new JsonObject
    {
        ["architecture"] = platform.Architecture,
        ["os"] = platform.OS,
        ["config"] = new JsonObject { ["Labels"] = new JsonObject { ["seed"] = $"{seed}" } },
        ["rootfs"] = new JsonObject
        {
            ["type"] = "layers",
            ["diff_ids"] = new JsonArray([.. layers.Select(layer => (JsonNode)layer.Digest.ToString())]),
        },
    });

    /// <summary>The same in every run, which <see cref="System.HashCode"/> is not.</summary>
    private static int HashCode(int seed, int layer) => unchecked((seed * 7919) + layer);
}
