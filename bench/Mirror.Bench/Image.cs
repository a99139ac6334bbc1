using System.Globalization;
using System.Text;

namespace Mirror.Bench;

/// <summary>An image of small layers, with a manifest as most have.</summary>
/// <param name="Manifest">Its bytes.</param>
/// <param name="Blobs">What it refers to: the config, then the layers.</param>
internal sealed record Image(byte[] Manifest, IReadOnlyList<byte[]> Blobs)
{
    public const string ManifestType = "application/vnd.oci.image.manifest.v1+json";

    /// <param name="layers">Their bytes.</param>
    /// <param name="name">In the config, so that images with different names share nothing but layers.</param>
    public static Image Of(IReadOnlyList<byte[]> layers, string name)
    {
        var config = Encoding.UTF8.GetBytes($$"""{"architecture":"amd64","author":"{{name}}","rootfs":{"type":"layers","diff_ids":[]},"os":"linux"}""");
        var manifest = $$"""
            {"schemaVersion":2,"mediaType":"{{ManifestType}}","config":{{Describe("application/vnd.oci.image.config.v1+json", config)}},
            "layers":[{{string.Join(",\n", layers.Select(layer => Describe("application/vnd.oci.image.layer.v1.tar+gzip", layer)))}}]}
            """;
        return new Image(Encoding.UTF8.GetBytes(manifest), [config, .. layers]);
    }

    private static string Describe(string mediaType, byte[] content) => string.Create(
        CultureInfo.InvariantCulture, $$"""{"mediaType":"{{mediaType}}","size":{{content.Length}},"digest":"{{Content.DigestOf(content)}}"}""");
}
