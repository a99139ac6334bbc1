using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class PullTests
{
    [Fact]
    public async Task A_second_pull_asks_upstream_for_nothing()
    {
        await using var scene = await Scene.StartAsync(layers: 3);

        await scene.PullAsync();
        scene.Upstream.ClearRequests();
        await scene.PullAsync();

        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task A_pull_works_with_upstream_gone_and_the_mirror_restarted()
    {
        await using var scene = await Scene.StartAsync(layers: 3);
        await scene.PullAsync();

        await scene.Upstream.StopAsync();
        await scene.Mirror.RestartAsync();

        await scene.PullAsync();
    }

    [Fact]
    public async Task A_mirror_starts_with_every_upstream_down_and_says_that_it_is_ready()
    {
        await using var scene = await Scene.StartAsync();
        await scene.Upstream.StopAsync();

        await scene.Mirror.RestartAsync();

        Assert.Equal(200, (await scene.GetRawAsync("/readyz")).Status);
        Assert.Equal(200, (await scene.GetRawAsync("/healthz")).Status);
        Assert.Equal(200, (await scene.GetRawAsync("/v2/")).Status);
    }

    [Fact]
    public async Task What_is_not_cached_while_upstream_is_down_is_a_bad_gateway_and_never_not_found()
    {
        await using var scene = await Scene.StartAsync();
        await scene.Upstream.StopAsync();

        foreach (var path in new[] { scene.TagPath, Scene.ManifestPath(scene.Image.Digest.ToString()), scene.LayerPath, $"/v2/{Scene.Repository}/tags/list" })
        {
            var answer = await scene.GetRawAsync(path);

            Assert.Equal(502, answer.Status);
            Assert.Equal("application/json", answer.Head.Headers["Content-Type"]);
            Assert.Contains("\"code\":\"UNAVAILABLE\"", answer.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_upstream_does_not_have_is_not_found()
    {
        await using var scene = await Scene.StartAsync();

        var tag = await scene.GetRawAsync(Scene.ManifestPath("nope"));
        var manifest = await scene.GetRawAsync(Scene.ManifestPath(Digest.Sha256("nope"u8).ToString()));
        var blob = await scene.GetRawAsync(Scene.BlobPath(Digest.Sha256("nope"u8)));

        Assert.Equal((404, 404, 404), (tag.Status, manifest.Status, blob.Status));
        Assert.Contains("MANIFEST_UNKNOWN", tag.Text, StringComparison.Ordinal);
        Assert.Contains("MANIFEST_UNKNOWN", manifest.Text, StringComparison.Ordinal);
        Assert.Contains("BLOB_UNKNOWN", blob.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_an_index_only_what_is_asked_for_is_fetched_and_the_index_keeps_its_digest()
    {
        await using var scene = await Scene.StartAsync();
        var index = TestIndex.Create(layers: 2, layerSize: 50_000, seed: 7);
        scene.Upstream.Add(Scene.Repository, index, "multi");
        var wanted = index.Images[0];

        await scene.GetExactlyAsync(Scene.ManifestPath("multi"), index.Manifest);
        await scene.GetExactlyAsync(Scene.ManifestPath(wanted.Digest.ToString()), wanted.Manifest);
        foreach (var blob in wanted.Blobs)
        {
            await scene.GetExactlyAsync(Scene.BlobPath(blob.Digest), blob);
        }

        var other = index.Images[1];
        Assert.All(other.Blobs.Select(b => b.Digest).Append(other.Digest), digest => Assert.Empty(scene.Upstream.RequestsFor(digest)));
        Assert.Contains(index.Digest, scene.Mirror.Published());
    }

    [Fact]
    public async Task A_docker_schema_2_image_keeps_its_bytes_and_type()
    {
        await using var scene = await Scene.StartAsync();
        var image = TestImage.Create(layers: 1, layerSize: 1000, seed: 3, ImageFormat.Docker);
        scene.Upstream.Add(Scene.Repository, image, "docker");

        var answer = await scene.GetRawAsync(Scene.ManifestPath("docker"));

        Assert.Equal(MediaTypes.DockerManifest, answer.Head.Headers["Content-Type"]);
        Assert.Equal(image.Manifest.Content.ToArray(), answer.Body);
    }

    [Fact]
    public async Task Content_by_sha512_is_verified_and_served_as_such()
    {
        await using var scene = await Scene.StartAsync();
        var blob = TestBlob.Of(TestBlob.Bytes(100_000, seed: 9), MediaTypes.OctetStream, DigestAlgorithm.Sha512);
        scene.Upstream.AddBlob(Scene.Repository, blob);

        await scene.GetExactlyAsync(Scene.BlobPath(blob.Digest), blob);
        await scene.Upstream.StopAsync();
        await scene.GetExactlyAsync(Scene.BlobPath(blob.Digest), blob);
    }
}
