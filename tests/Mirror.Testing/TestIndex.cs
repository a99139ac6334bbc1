using System.Text.Json.Nodes;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>An index (or Docker manifest list) made in memory, with its images.</summary>
public sealed class TestIndex
{
    private TestIndex(TestBlob manifest, IReadOnlyList<TestImage> images) => (Manifest, Images) = (manifest, images);

    public TestBlob Manifest { get; }

    public IReadOnlyList<TestImage> Images { get; }

    public Digest Digest => Manifest.Digest;

    /// <summary>An index of one image for linux/amd64 and one for linux/arm64, which share nothing.</summary>
    public static TestIndex Create(int layers = 1, int layerSize = 64 * 1024, int seed = 0, ImageFormat format = ImageFormat.Oci) => Of(
        format,
        TestImage.Create(layers, layerSize, (seed * 2) + 1_000_001, format, new Platform("linux", "amd64")),
        TestImage.Create(layers, layerSize, (seed * 2) + 1_000_002, format, new Platform("linux", "arm64", "v8")));

    public static TestIndex Of(ImageFormat format, params IReadOnlyList<TestImage> images)
    {
        var mediaType = format is ImageFormat.Oci ? MediaTypes.OciIndex : MediaTypes.DockerManifestList;
        var content = TestImage.ToBytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = mediaType,
            ["manifests"] = new JsonArray([.. images.Select(image => TestImage.ToJson(image.Manifest.Descriptor))]),
        });
        return new TestIndex(TestBlob.Of(content, mediaType), images);
    }
}
