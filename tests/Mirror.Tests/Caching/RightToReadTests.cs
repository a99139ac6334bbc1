using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class RightToReadTests
{
    private static readonly RepositoryName Other = RepositoryName.Parse("library/other");

    [Fact]
    public async Task A_blob_cached_for_one_repository_is_not_readable_through_another_that_does_not_refer_to_it()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.Add(Other, TestImage.Create(layers: 1, layerSize: 10, seed: 5), "1");
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);

        var answer = await scene.GetRawAsync($"/v2/{Other}/blobs/{scene.Layer.Digest}");
        using var head = await scene.Mirror.HeadAsync($"/v2/{Other}/blobs/{scene.Layer.Digest}");

        Assert.Equal((404, 404), (answer.Status, (int)head.StatusCode));
        Assert.Contains("BLOB_UNKNOWN", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_running_download_is_not_readable_through_another_repository()
    {
        await using var scene = await Scene.StartAsync();
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.Drip(1000, gate));
        var running = scene.GetRawAsync(scene.LayerPath);
        await gate.Arrived();

        var answer = await scene.GetRawAsync($"/v2/{Other}/blobs/{scene.Layer.Digest}");

        Assert.Equal(404, answer.Status);
        gate.Open();
        await running;
    }

    [Fact]
    public async Task A_blob_that_a_second_repository_has_too_is_confirmed_by_a_HEAD_and_served_from_disk()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        scene.Upstream.AddBlob(Other, scene.Layer);
        scene.Upstream.ClearRequests();

        for (var i = 0; i < 2; i++)
        {
            await scene.GetExactlyAsync($"/v2/{Other}/blobs/{scene.Layer.Digest}", scene.Layer);
        }

        Assert.Equal([HttpMethod.Head], scene.Upstream.Requests.Select(request => request.Method));
    }

    [Fact]
    public async Task A_manifest_that_refers_to_another_registrys_content_does_not_open_it()
    {
        await using var scene = await Scene.StartAsync();
        await using var foreign = await FakeRegistry.StartAsync();
        await using var mirror = await MirrorHost.StartAsync(
            [MirrorHost.Registry("private.example", scene.Upstream), MirrorHost.Registry("anybody.example", foreign)]);
        foreign.AddManifest(Other, scene.Image.Manifest, "stolen");
        await RawHttp.GetAsync(mirror.Url, $"/v2/private.example/{Scene.Repository}/manifests/{Scene.Tag}");
        await RawHttp.GetAsync(mirror.Url, $"/v2/private.example/{Scene.Repository}/blobs/{scene.Layer.Digest}");
        await mirror.PublishedAsync(scene.Layer.Digest);

        var manifest = await RawHttp.GetAsync(mirror.Url, $"/v2/anybody.example/{Other}/manifests/stolen");
        var layer = await RawHttp.GetAsync(mirror.Url, $"/v2/anybody.example/{Other}/blobs/{scene.Layer.Digest}");

        Assert.Equal((200, 404), (manifest.Status, layer.Status));
    }

    [Fact]
    public async Task A_layer_that_is_asked_for_as_a_manifest_is_not_found_and_stays()
    {
        await using var scene = await Scene.StartAsync(layerSize: 1000);
        await scene.PullAsync();
        await scene.Mirror.RestartAsync();
        scene.Upstream.ClearRequests();

        var answer = await scene.GetRawAsync(Scene.ManifestPath(scene.Layer.Digest.ToString()));
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.Equal(404, answer.Status);
        Assert.Equal(0, scene.Upstream.Requests.Count(request => request.Path.Contains("/blobs/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_foreign_layer_that_names_another_repositorys_blob_does_not_open_it()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        var manifest = System.Text.Encoding.UTF8.GetBytes(
            $$"""
            {"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}",
             "config":{"mediaType":"{{MediaTypes.OciConfig}}","digest":"{{Digest.Sha256("x"u8)}}","size":1},
             "layers":[{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","digest":"{{scene.Layer.Digest}}","size":1}]}
            """);
        scene.Upstream.AddManifest(Other, TestBlob.Of(manifest, MediaTypes.OciManifest), "greedy");

        Assert.Equal(200, (await scene.GetRawAsync($"/v2/{Other}/manifests/greedy")).Status);

        Assert.Equal(404, (await scene.GetRawAsync($"/v2/{Other}/blobs/{scene.Layer.Digest}")).Status);
    }

    [Fact]
    public async Task A_registry_whose_HEAD_is_of_no_use_confirms_by_GET()
    {
        await using var scene = await Scene.StartAsync();
        await using var second = await FakeRegistry.StartAsync();
        second.Add(Scene.Repository, scene.Image, Scene.Tag);
        second.On(HttpMethod.Head).Do(Behaviour.Status(403));
        await using var mirror = await MirrorHost.StartAsync(
            [MirrorHost.Registry("one.example", scene.Upstream), MirrorHost.Registry("two.example", second)]);
        await RawHttp.GetAsync(mirror.Url, $"/v2/one.example/{Scene.Repository}/blobs/{scene.Layer.Digest}");
        await mirror.PublishedAsync(scene.Layer.Digest);

        var answer = await RawHttp.GetAsync(mirror.Url, $"/v2/two.example/{Scene.Repository}/blobs/{scene.Layer.Digest}");

        Assert.Equal(scene.Layer.Content.ToArray(), answer.Body);
    }

    [Fact]
    public async Task A_size_that_nobody_said_is_not_remembered_as_one()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.AddBlob(Other, scene.Layer);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.NoContentLength, Behaviour.CutAfter(1000), Behaviour.Drip(100, gate));
        scene.Upstream.On(HttpMethod.Head, scene.Layer.Digest).Do(Behaviour.NoContentLength);
        var running = scene.GetRawAsync(scene.LayerPath);
        await gate.Arrived();
        var following = scene.GetRawAsync($"/v2/{Other}/blobs/{scene.Layer.Digest}");
        var confirming = await scene.Upstream.Received(HttpMethod.Head, scene.Layer.Digest);
        await confirming.Ended;
        gate.Open();
        await Task.WhenAll(running, following);

        await scene.GetExactlyAsync($"/v2/{Other}/blobs/{scene.Layer.Digest}", scene.Layer);
    }

    [Fact]
    public async Task Only_configured_registries_are_named_by_a_path()
    {
        await using var scene = await Scene.StartAsync();
        await using var second = await FakeRegistry.StartAsync();
        second.Add(Other, scene.Image, "1");
        await using var mirror = await MirrorHost.StartAsync([MirrorHost.Registry("ghcr.example", second)]);

        var byPath = await RawHttp.GetAsync(mirror.Url, $"/v2/ghcr.example/{Other}/manifests/1");
        var byPrefix = await RawHttp.GetAsync(mirror.Url, $"/ghcr.example/v2/{Other}/manifests/1");
        var unknownPath = await RawHttp.GetAsync(mirror.Url, $"/v2/quay.example/{Other}/manifests/1");
        var unknownPrefix = await RawHttp.GetAsync(mirror.Url, $"/quay.example/v2/{Other}/manifests/1");

        Assert.Equal((200, 200, 404, 404), (byPath.Status, byPrefix.Status, unknownPath.Status, unknownPrefix.Status));
        Assert.Contains("MANIFEST_UNKNOWN", unknownPath.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_of_a_registry_that_is_not_configured_is_not_told_to_Docker_Hub()
    {
        await using var scene = await Scene.StartAsync();

        var answer = await scene.GetRawAsync("/v2/registry.corp.example/secret-project/app/manifests/1");

        Assert.Equal(404, answer.Status);
        Assert.Contains("NAME_UNKNOWN", answer.Text, StringComparison.Ordinal);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Theory]
    [InlineData("/v2/alpine/manifests/3.20")]
    [InlineData("/v2/docker.io/alpine/manifests/3.20")]
    [InlineData("/v2/docker.io/library/alpine/manifests/3.20")]
    [InlineData("/v2/index.docker.io/library/alpine/manifests/3.20")]
    [InlineData("/docker.io/v2/alpine/manifests/3.20")]
    public async Task Every_name_of_an_official_image_of_Docker_Hub_is_one_cached_image(string path)
    {
        await using var scene = await Scene.StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Upstream.ClearRequests();

        await scene.GetExactlyAsync(path, scene.Image.Manifest);

        Assert.Empty(scene.Upstream.Requests);
    }
}
