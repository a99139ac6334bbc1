using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>Ranges of a blob that is still arriving, as lazy pullers and parallel ones ask for them.</summary>
public sealed class RunningRangeTests
{
    private const int Size = 4_000_000;

    [Fact]
    public async Task An_open_ended_range_has_its_headers_at_once_and_its_bytes_when_they_come()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        var gate = await StartDownloadAsync(scene);

        using var client = await AskAsync(scene, $"bytes={Size / 2}-");
        var head = await client.ReadHeadAsync();
        Assert.Equal((206, $"bytes {Size / 2}-{Size - 1}/{Size}"), (head.Status, head.Headers["Content-Range"]));
        gate.Open();
        var rest = await client.ReadRestAsync(head);

        Assert.Equal(scene.Layer.Content[(Size / 2)..].ToArray(), rest.Body);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task Twenty_overlapping_open_ended_ranges_that_leave_after_their_chunk_cost_one_upstream_request()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        const int chunk = Size / 20;

        await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            using var client = await AskAsync(scene, $"bytes={i * chunk}-");
            Assert.Equal(206, (await client.ReadHeadAsync()).Status);
            Assert.Equal(scene.Layer.Content.Slice(i * chunk, chunk).ToArray(), await client.ReadBodyAsync(chunk));
            client.Reset();
        }));

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task A_closed_range_far_ahead_is_answered_while_the_download_stands_still()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        var gate = await StartDownloadAsync(scene);

        // The gate stays shut: who waited for the download would wait for ever.
        var answer = await scene.GetRawAsync(scene.LayerPath, "Range: bytes=3000000-3000999");

        Assert.Equal(206, answer.Status);
        Assert.Equal(scene.Layer.Content.Slice(3_000_000, 1000).ToArray(), answer.Body);
        Assert.Equal("bytes=3000000-3000999", scene.Upstream.RequestsFor(scene.Layer.Digest)[^1].Header("Range"));
        gate.Open();
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.Equal(1, scene.Upstream.RequestsFor(scene.Layer.Digest).Count(request => request.Header("Range") is null));
    }

    [Fact]
    public async Task A_closed_range_to_the_end_waits_for_the_verified_blob()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        var gate = await StartDownloadAsync(scene);

        var asking = scene.GetRawAsync(scene.LayerPath, $"Range: bytes=3000000-{Size - 1}");
        gate.Open();

        Assert.Equal(scene.Layer.Content[3_000_000..].ToArray(), (await asking).Body);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task An_upstream_that_ignores_a_part_costs_the_part_nothing_but_time()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        var gate = await StartDownloadAsync(scene);
        scene.Upstream.On(request => request.Header("Range") is not null).Do(Behaviour.IgnoreRange);

        var asking = scene.GetRawAsync(scene.LayerPath, "Range: bytes=3000000-3000999");
        await scene.Upstream.Received(HttpMethod.Get, scene.Layer.Digest, 2);
        gate.Open();

        Assert.Equal(scene.Layer.Content.Slice(3_000_000, 1000).ToArray(), (await asking).Body);
    }

    /// <summary>A download that stands still, a little of it received.</summary>
    private static async Task<Gate> StartDownloadAsync(Scene scene)
    {
        var gate = new Gate();
        scene.Upstream.On(request => request.Header("Range") is null && request.AsksFor(scene.Layer.Digest)).Do(Behaviour.Drip(10_000, gate));
        gate.ReleaseBytes(100_000);
        using var client = await AskAsync(scene, range: null);
        await client.ReadHeadAsync();
        await client.ReadBodyAsync(90_000);
        return gate;
    }

    private static async Task<RawHttp> AskAsync(Scene scene, string? range)
    {
        var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath, range is null ? [] : [$"Range: {range}"]));
        return client;
    }
}
