using System.Text.Json.Nodes;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>The rest of an image, behind the client that reads its first layer.</summary>
public sealed class CompletionTests
{
    private const int LayerSize = 100_000;

    [Fact]
    public async Task The_first_layer_that_is_read_brings_the_rest_of_the_image()
    {
        await using var scene = await StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);

        await scene.GetExactlyAsync(Scene.BlobPath(scene.Image.Layers[1].Digest), scene.Image.Layers[1]);
        await PublishedAsync(scene, scene.Image.Blobs);
        await scene.Upstream.StopAsync();

        await scene.PullAsync();
        Assert.All(scene.Image.Blobs, blob => Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, blob.Digest)));
    }

    [Fact]
    public async Task A_part_of_a_layer_brings_the_rest_too()
    {
        await using var scene = await StartAsync();
        await scene.GetExactlyAsync(Scene.ManifestPath(scene.Image.Digest.ToString()), scene.Image.Manifest);

        await scene.GetRawAsync(scene.LayerPath, "Range: bytes=0-9");

        await PublishedAsync(scene, scene.Image.Blobs);
    }

    [Fact]
    public async Task Who_reads_no_layer_fetches_nothing_else()
    {
        await using var scene = await StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.GetExactlyAsync(Scene.BlobPath(scene.Image.Config.Digest), scene.Image.Config);
        using var head = await scene.Mirror.HeadAsync(scene.LayerPath);
        using var manifestHead = await scene.Mirror.HeadAsync(Scene.ManifestPath(scene.Image.Digest.ToString()));

        await CompleteAnotherAsync(scene);

        Assert.All(scene.Image.Layers, layer => Assert.Equal(0, scene.Upstream.Count(HttpMethod.Get, layer.Digest)));
    }

    [Theory]
    [InlineData((3 * LayerSize) - 1)]
    [InlineData(0)]
    public async Task An_image_larger_than_the_limit_is_not_completed(long limit)
    {
        await using var scene = await StartAsync(registry => registry with { Complete = limit });
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        if (limit > 0)
        {
            await CompleteAnotherAsync(scene);
        }

        // What is running ends with the server.
        await scene.Mirror.RestartAsync();
        Assert.All(Others(scene), blob => Assert.Empty(scene.Upstream.RequestsFor(blob.Digest)));
    }

    [Fact]
    public async Task Other_platforms_are_not_fetched()
    {
        await using var scene = await StartAsync();
        var index = TestIndex.Create(layers: 2, layerSize: LayerSize, seed: 20);
        scene.Upstream.Add(Scene.Repository, index, "multi");
        var image = index.Images[0];

        await scene.GetExactlyAsync(Scene.ManifestPath("multi"), index.Manifest);
        await scene.GetExactlyAsync(Scene.ManifestPath(image.Digest.ToString()), image.Manifest);
        await scene.GetExactlyAsync(Scene.BlobPath(image.Layer.Digest), image.Layer);
        await PublishedAsync(scene, image.Blobs);

        Assert.All(index.Images.Skip(1).SelectMany(other => other.Blobs), blob => Assert.Empty(scene.Upstream.RequestsFor(blob.Digest)));
    }

    [Fact]
    public async Task Layers_that_registries_need_not_have_are_not_fetched()
    {
        await using var scene = await StartAsync();
        var foreign = TestBlob.Create(1000, seed: 30, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        var json = JsonNode.Parse(scene.Image.Manifest.Content.Span)!;
        json["layers"]!.AsArray().Add(new JsonObject
        {
            ["mediaType"] = foreign.MediaType,
            ["digest"] = foreign.Digest.ToString(),
            ["size"] = foreign.Size,
        });
        var manifest = TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), MediaTypes.OciManifest);
        scene.Upstream.AddManifest(Scene.Repository, manifest, "foreign");

        await scene.GetExactlyAsync(Scene.ManifestPath("foreign"), manifest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await PublishedAsync(scene, scene.Image.Blobs);
        await CompleteAnotherAsync(scene);

        Assert.Empty(scene.Upstream.RequestsFor(foreign.Digest));
    }

    [Fact]
    public async Task A_shared_layer_leads_to_the_image_whose_manifest_was_read_last()
    {
        await using var scene = await StartAsync();
        var json = JsonNode.Parse(scene.Image.Manifest.Content.Span)!;
        json["layers"]!.AsArray().RemoveAt(2);
        var smaller = TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), MediaTypes.OciManifest);
        scene.Upstream.AddManifest(Scene.Repository, smaller, "smaller");

        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.GetExactlyAsync(Scene.ManifestPath("smaller"), smaller);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.PublishedAsync(scene.Image.Layers[1].Digest);
        await CompleteAnotherAsync(scene);
        Assert.Empty(scene.Upstream.RequestsFor(scene.Image.Layers[2].Digest));

        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.PublishedAsync(scene.Image.Layers[2].Digest);
    }

    [Fact]
    public async Task A_client_does_not_wait_for_what_completion_waits_for()
    {
        // Completion has one connection of the four.
        await using var scene = await StartAsync(registry => registry with { MaxConnections = 4 });
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        var gate = new Gate();
        scene.Upstream.On(request => request.Path.Contains("/blobs/", StringComparison.Ordinal) && !request.AsksFor(scene.Layer.Digest))
            .Times(1).Do(Behaviour.Stall(gate));

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await gate.Arrived();
        var held = scene.Image.Blobs.Single(blob => blob != scene.Layer && scene.Upstream.RequestsFor(blob.Digest).Count > 0);
        foreach (var blob in scene.Image.Blobs.Where(blob => blob != held))
        {
            await scene.GetExactlyAsync(Scene.BlobPath(blob.Digest), blob);
        }

        gate.Open();
        await scene.GetExactlyAsync(Scene.BlobPath(held.Digest), held);
        Assert.All(scene.Image.Blobs, blob => Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, blob.Digest)));
    }

    [Fact]
    public async Task A_client_that_leaves_is_no_reason_to_leave_the_rest()
    {
        await using var scene = await StartAsync(registry => registry with { FinishAbandoned = 0 });
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.StallAfter(1000, gate));
        using (var client = await RawHttp.ConnectAsync(scene.Mirror.Url))
        {
            await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
            await client.ReadHeadAsync();
            await PublishedAsync(scene, Others(scene));
            client.Reset();
        }

        await CompleteAnotherAsync(scene);
        gate.Open();

        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task What_could_not_be_had_is_tried_again_with_the_next_pull_and_the_others_are_here()
    {
        await using var scene = await StartAsync();
        var lacking = scene.Image.Layers[1];
        scene.Upstream.On(HttpMethod.Get, lacking.Digest).Times(1).Do(Behaviour.Status(404));
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.LoggedAsync("could not be fetched");
        await scene.Mirror.PublishedAsync(scene.Image.Layers[2].Digest);

        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        await scene.Mirror.PublishedAsync(lacking.Digest);
    }

    [Fact]
    public async Task What_can_not_be_stored_is_not_fetched_without_being_asked_for()
    {
        await using var scene = await StartAsync();
        var staged = Path.Combine(scene.Mirror.DataPath, "staged");
        Directory.Delete(staged, recursive: true);
        await File.WriteAllTextAsync(staged, "no folder");

        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.All(Others(scene), blob => Assert.Empty(scene.Upstream.RequestsFor(blob.Digest)));

        File.Delete(staged);
        Directory.CreateDirectory(staged);
        await scene.GetExactlyAsync(Scene.BlobPath(scene.Image.Config.Digest), scene.Image.Config);
        await scene.Mirror.PublishedAsync(scene.Image.Config.Digest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await PublishedAsync(scene, scene.Image.Blobs);
    }

    [Fact]
    public async Task Completion_ends_with_the_server()
    {
        await using var scene = await StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Image.Layers[1].Digest).Times(1).Do(Behaviour.Stall(gate));
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await gate.Arrived();

        await scene.Mirror.RestartAsync();

        await scene.PullAsync();
    }

    private static Task<Scene> StartAsync(Func<RegistryOptions, RegistryOptions>? configure = null) => Scene.StartAsync(
        layers: 3,
        layerSize: LayerSize,
        configure: registry => (configure ?? (same => same))(registry with { Complete = 1_000_000 }));

    /// <summary>All but the first layer.</summary>
    private static IEnumerable<TestBlob> Others(Scene scene) => scene.Image.Blobs.Where(blob => blob != scene.Layer);

    private static Task PublishedAsync(Scene scene, IEnumerable<TestBlob> blobs) =>
        Task.WhenAll(blobs.Select(blob => scene.Mirror.PublishedAsync(blob.Digest)));

    /// <summary>A small image is completed through the same repository: whatever was to happen before that has had the time to.</summary>
    private static async Task CompleteAnotherAsync(Scene scene)
    {
        var image = TestImage.Create(layers: 2, layerSize: 1000, seed: 10);
        scene.Upstream.Add(Scene.Repository, image, "another");
        await scene.GetExactlyAsync(Scene.ManifestPath("another"), image.Manifest);
        await scene.GetExactlyAsync(Scene.BlobPath(image.Layer.Digest), image.Layer);
        await PublishedAsync(scene, image.Blobs);
    }
}
