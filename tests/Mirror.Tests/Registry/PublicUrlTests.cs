using Mirror.Oci;
using Mirror.Testing;
using Mirror.Tests.Local;

namespace Mirror.Tests.Registry;

/// <summary>Where answers lead on to.</summary>
public sealed class PublicUrlTests
{
    private const string Repository = "team/app";
    private static readonly TestBlob Blob = TestBlob.Create(1000, seed: 5);
    private static readonly TestBlob Index = TestIndex.Of(ImageFormat.Oci).Manifest;

    [Theory]
    [InlineData(null, "")]
    [InlineData("https://mirror.example.com", "https://mirror.example.com")]
    [InlineData("http://mirror.example.com:8080/a/registry/", "http://mirror.example.com:8080/a/registry")]
    public async Task Answers_lead_on_by_a_path_or_to_the_public_address(string? url, string begin)
    {
        await using var registry = await OwnRegistry.StartAsync(server => server with { PublicUrl = url is null ? null : new Uri(url) });
        var uploads = $"/v2/{Repository}/blobs/uploads/";

        var begun = await registry.SendAsync("POST", uploads);
        var path = begun.Header("Location")![begin.Length..];
        var patched = await registry.SendAsync("PATCH", path, Blob.Content[..10]);
        var status = await registry.SendAsync("GET", path);
        var wrong = await registry.SendAsync("PATCH", path, Blob.Content[..10], ("Content-Range", "5-14"));
        var blob = await registry.SendAsync("PUT", OwnRegistry.With(path, $"digest={Blob.Digest}"), Blob.Content[10..]);
        var mounted = await registry.SendAsync("POST", $"/v2/team/other/blobs/uploads/?mount={Blob.Digest}&from={Repository}");
        var manifest = await registry.PutManifestAsync(Repository, Index, "1?tag=2");
        var tags = await registry.SendAsync("GET", $"/v2/{Repository}/tags/list?n=1");
        await registry.PutManifestAsync("team/other", Index, "1");
        var catalog = await registry.SendAsync("GET", "/v2/_catalog?n=1");

        Assert.All([begun, patched, status, wrong], answer => Assert.StartsWith($"{begin}{uploads}", answer.Header("Location")!, StringComparison.Ordinal));
        Assert.Equal((416, 201), (wrong.Status, blob.Status));
        Assert.Equal($"{begin}/v2/{Repository}/blobs/{Blob.Digest}", blob.Header("Location"));
        Assert.Equal($"{begin}/v2/team/other/blobs/{Blob.Digest}", mounted.Header("Location"));
        Assert.Equal($"{begin}/v2/{Repository}/manifests/{Index.Digest}", manifest.Header("Location"));
        Assert.Equal($"<{begin}/v2/{Repository}/tags/list?n=1&last=1>; rel=\"next\"", tags.Header("Link"));
        Assert.Equal($"<{begin}/v2/_catalog?n=1&last={Uri.EscapeDataString(Repository)}>; rel=\"next\"", catalog.Header("Link"));
    }

    [Fact]
    public async Task Who_has_come_to_a_registrys_own_host_is_not_led_to_another()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        await using var mirror = await MirrorHost.StartAsync(
            [MirrorHost.Registry("a.example", upstream) with { Host = "a.mirror.lan" }],
            configure: server => server with { PublicUrl = new Uri("https://mirror.example.com") });
        foreach (var name in new[] { "one", "two" })
        {
            upstream.Add(RepositoryName.Parse(name), TestImage.Create(layers: 1, layerSize: 10, seed: 1), "1");
            await RawHttp.GetAsync(mirror.Url, $"/v2/a.example/{name}/manifests/1");
        }

        var byHost = await RawHttp.SendAsync(mirror.Url, "GET /v2/_catalog?n=1 HTTP/1.1\r\nHost: a.mirror.lan\r\n\r\n");
        var byPrefix = await RawHttp.SendAsync(mirror.Url, "GET /a.example/v2/_catalog?n=1 HTTP/1.1\r\nHost: a.mirror.lan\r\n\r\n");

        Assert.Equal("</v2/_catalog?n=1&last=one>; rel=\"next\"", byHost.Head.Headers["Link"]);
        Assert.Equal("<https://mirror.example.com/a.example/v2/_catalog?n=1&last=one>; rel=\"next\"", byPrefix.Head.Headers["Link"]);
    }
}
