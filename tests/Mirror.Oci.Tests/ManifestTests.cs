using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Mirror.Oci.Tests;

public sealed class ManifestTests
{
    private static readonly string Zero = $"sha256:{new string('0', 64)}";

    [Fact]
    public void An_image_is_read_with_its_exact_bytes_kept()
    {
        var text = $$"""
             { "schemaVersion" : 2, "mediaType": "{{MediaTypes.OciManifest}}", "unknown": {"a": [1]},
               "config": {"mediaType": "{{MediaTypes.OciConfig}}", "digest": "{{Zero}}", "size": 7},
               "layers": [{"mediaType": "{{MediaTypes.OciLayerGzip}}", "digest": "{{Zero}}", "size": 9223372036854775807, "annotations": {"k": "v"} }],
               "subject": {"mediaType": "{{MediaTypes.OciManifest}}", "digest": "{{Zero}}", "size": 1}, "artifactType": "t/x" }
             """;

        var manifest = Read(text, MediaTypes.OciManifest);

        Assert.Equal(text, Encoding.UTF8.GetString(manifest.Content.Span));
        Assert.Equal(Digest.Sha256(manifest.Content.Span), manifest.Digest);
        var view = manifest.View();
        Assert.Equal(7, view.Config!.Size);
        Assert.Equal(long.MaxValue, view.Layers.Single().Size);
        Assert.Equal("v", view.Layers.Single().Annotations["k"]);
        Assert.Equal(Zero, view.Subject!.Digest.ToString());
        Assert.Equal("t/x", view.ArtifactType);
        Assert.Equal(2, view.Blobs.Count());
        Assert.False(view.IsIndex);
    }

    [Fact]
    public void An_index_is_read_with_its_platforms()
    {
        var manifest = Read(
            $$"""
            {"schemaVersion":2,"manifests":[
              {"mediaType":"{{MediaTypes.OciManifest}}","digest":"{{Zero}}","size":1,"platform":{"os":"linux","architecture":"arm","variant":"v7"} },
              {"mediaType":"{{MediaTypes.OciManifest}}","digest":"{{Zero}}","size":1,"platform":{"os":"unknown"} }]}
            """,
            contentType: null);

        Assert.Equal(MediaTypes.OciIndex, manifest.MediaType);
        Assert.True(manifest.View().IsIndex);
        Assert.Equal(["linux/arm/v7", null], manifest.View().Children.Select(child => child.Platform?.ToString()));
        Assert.Empty(manifest.View().Blobs);
    }

    [Theory]
    [InlineData(MediaTypes.DockerManifest, MediaTypes.DockerManifest)]
    [InlineData("application/vnd.docker.distribution.manifest.v2+json; charset=utf-8", MediaTypes.DockerManifest)]
    [InlineData("text/plain", MediaTypes.OciManifest)]
    [InlineData(null, MediaTypes.OciManifest)]
    public void Without_a_media_type_of_its_own_a_manifest_is_what_it_was_served_as(string? contentType, string expected) =>
        Assert.Equal(expected, Read($$"""{"schemaVersion":2,"config":{"mediaType":"c/c","digest":"{{Zero}}","size":1},"layers":[]}""", contentType).MediaType);

    [Theory]
    [InlineData("""{"schemaVersion":1}""", null, "schema 1")]
    [InlineData("""{"schemaVersion":2}""", MediaTypes.DockerSchema1Signed, "schema 1")]
    [InlineData("""{"schemaVersion":3}""", null, "schemaVersion")]
    [InlineData("""{"schemaVersion":"2"}""", null, "schemaVersion")]
    [InlineData("""{"schemaVersion":2,"layers":[]}""", null, "config")]
    [InlineData("""{"schemaVersion":2,"manifests":{}}""", null, "manifests")]
    [InlineData("""{"schemaVersion":2,"manifests":[1]}""", null, "not an object")]
    [InlineData("""{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"sha256:0","size":1}]}""", null, "digest")]
    [InlineData("""{"schemaVersion":2,"manifests":[{"digest":"x","size":1}]}""", null, "mediaType")]
    [InlineData("""{"schemaVersion":2,"mediaType":"text/html","manifests":[]}""", null, "text/html")]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}""", MediaTypes.DockerManifestList, "served as")]
    [InlineData("""{"schemaVersion":2,"schemaVersion":2}""", null, "JSON")]
    [InlineData("[]", null, "not a JSON object")]
    [InlineData("", null, "JSON")]
    [InlineData("""{"schemaVersion":2,"mediaType":"\ud800"}""", null, "JSON")]
    public void What_can_not_be_used_is_refused_with_the_reason(string text, string? contentType, string reason)
    {
        Assert.False(Manifest.TryParse(Encoding.UTF8.GetBytes(text), contentType, DigestAlgorithm.Sha256, out _, out var fault));
        Assert.Contains(reason, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_that_is_null_is_an_empty_one() =>
        Assert.Empty(Read($$"""{"schemaVersion":2,"config":{"mediaType":"c/c","digest":"{{Zero}}","size":1},"layers":null}""", null).View().Layers);

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("99999999999999999999")]
    [InlineData("\"7\"")]
    [InlineData("null")]
    public void A_size_that_is_none_is_refused(string size)
    {
        var text = $$"""{"schemaVersion":2,"config":{"mediaType":"c/c","digest":"{{Zero}}","size":{{size}}},"layers":[]}""";

        Assert.False(Manifest.TryParse(Encoding.UTF8.GetBytes(text), null, DigestAlgorithm.Sha256, out _, out var fault));
        Assert.Contains("size", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Nesting_without_end_and_more_than_four_mebibytes_are_refused()
    {
        Assert.False(Manifest.TryParse(Encoding.UTF8.GetBytes(new string('[', 1_000_000)), null, DigestAlgorithm.Sha256, out _, out _));
        Assert.False(Manifest.TryParse(new byte[Manifest.MaxSize + 1], null, DigestAlgorithm.Sha256, out _, out var fault));
        Assert.Contains("larger", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_are_read_or_refused_without_a_surprise() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(2000),
        Prop.ForAll<byte[]>(bytes => Manifest.TryParse(bytes, null, DigestAlgorithm.Sha256, out _, out var fault) || fault.Length > 0));

    private static Manifest Read(string text, string? contentType)
    {
        Assert.True(Manifest.TryParse(Encoding.UTF8.GetBytes(text), contentType, DigestAlgorithm.Sha256, out var manifest, out var fault), fault);
        return manifest;
    }
}
