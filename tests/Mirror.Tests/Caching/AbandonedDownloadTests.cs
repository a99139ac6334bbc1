using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>Downloads whose clients have all left.</summary>
public sealed class AbandonedDownloadTests
{
    private const int Size = 1_000_000;

    [Fact]
    public async Task Where_nothing_is_finished_the_upstream_connection_ends_with_the_last_client_and_the_next_one_gets_the_rest()
    {
        await using var scene = await StartAsync(0);
        HoldAt(scene, scene.Layer, Size / 2);
        var clients = await Task.WhenAll(AskAsync(scene, scene.Layer), AskAsync(scene, scene.Layer));
        await clients[0].ReadBodyAsync((Size / 2) - 1);
        var request = await scene.Upstream.Received(HttpMethod.Get, scene.Layer.Digest);

        clients[0].Reset();
        await clients[1].ReadBodyAsync((Size / 2) - 1);
        Assert.False(request.Ended.IsCompleted);
        clients[1].Reset();
        await request.Ended;
        scene.Upstream.Behave();
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.False(request.IsComplete);
        Assert.Equal([null, $"bytes={Size / 2}-"], scene.Upstream.RequestsFor(scene.Layer.Digest).Select(r => r.Header("Range")));
    }

    [Fact]
    public async Task Who_comes_back_while_an_abandoned_download_goes_on_follows_it()
    {
        await using var scene = await StartAsync(Size);
        var gate = HoldAt(scene, scene.Layer, Size / 2);
        (await AskAsync(scene, scene.Layer)).Reset();

        var asking = scene.GetRawAsync(scene.LayerPath);
        gate.Open();

        Assert.Equal(scene.Layer.Content.ToArray(), (await asking).Body);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Abandoned_downloads_share_what_may_be_finished(bool sizesAreUnknown)
    {
        await using var scene = await StartAsync(Size);
        var (first, second) = (scene.Image.Layers[0], scene.Image.Layers[1]);
        Behaviour[] extra = sizesAreUnknown ? [Behaviour.NoContentLength] : [];
        var gate = HoldAt(scene, first, Size / 4, extra);
        var otherGate = HoldAt(scene, second, Size / 4, extra);

        await LeaveAsync(scene, first);
        await LeaveAsync(scene, second);
        var requests = await Task.WhenAll(
            scene.Upstream.Received(HttpMethod.Get, first.Digest), scene.Upstream.Received(HttpMethod.Get, second.Digest));
        await Task.WhenAny(requests.Select(request => request.Ended));
        gate.Open();
        otherGate.Open();
        await Task.WhenAll(requests.Select(request => request.Ended));

        Assert.Single(requests, request => request.IsComplete);
    }

    [Fact]
    public async Task Who_leaves_before_the_size_is_known_leaves_nothing_that_is_larger_than_what_may_be_finished()
    {
        await using var scene = await StartAsync(1000);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.Stall(gate));
        using (var client = await RawHttp.ConnectAsync(scene.Mirror.Url))
        {
            await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
            await gate.Arrived();
            client.Reset();
        }

        gate.Open();
        await scene.Mirror.LoggedAsync("nobody waits for it any more");

        Assert.DoesNotContain(scene.Layer.Digest, scene.Mirror.Published());
    }

    [Fact]
    public async Task Abandoned_downloads_leave_connections_to_clients()
    {
        await using var scene = await Scene.StartAsync(layers: 3, layerSize: Size, configure: registry => registry with { MaxConnections = 2 });
        var gates = scene.Image.Layers.Take(2).Select(layer => HoldAt(scene, layer, 1000)).ToList();
        foreach (var layer in scene.Image.Layers.Take(2))
        {
            (await AskAsync(scene, layer)).Reset();
        }

        await scene.GetExactlyAsync(Scene.BlobPath(scene.Image.Layers[2].Digest), scene.Image.Layers[2]);

        gates.ForEach(gate => gate.Open());
    }

    [Fact]
    public async Task Who_asks_while_a_stopped_download_is_still_ending_is_served()
    {
        const int Rounds = 40;
        await using var scene = await StartAsync(0);
        var gate = HoldAt(scene, scene.Layer, 0);
        for (var round = 1; round <= Rounds; round++)
        {
            gate.ReleaseBytes(Size / Rounds / 2);
            using var client = await AskAsync(scene, scene.Layer);
            var read = await client.ReadBodyAsync(round);
            Assert.Equal(scene.Layer.Content[..round].ToArray(), read);
            client.Reset();
        }

        gate.Open();
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        Assert.DoesNotContain(scene.Mirror.Log.Lines, line => line.Contains("pieces that do not fit", StringComparison.Ordinal));
    }

    private static Task<Scene> StartAsync(long finishAbandoned) => Scene.StartAsync(
        layers: 2, layerSize: Size, configure: registry => registry with { FinishAbandoned = finishAbandoned });

    /// <summary>Upstream gives so much of a blob, and the rest when the gate opens.</summary>
    private static Gate HoldAt(Scene scene, TestBlob blob, int bytes, params Behaviour[] extra)
    {
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, blob.Digest).Do([Behaviour.Drip(64 * 1024, gate), .. extra]);
        gate.ReleaseBytes(bytes);
        return gate;
    }

    /// <summary>Asks for a blob, and goes as soon as it comes.</summary>
    private static async Task LeaveAsync(Scene scene, TestBlob blob)
    {
        using var client = await AskAsync(scene, blob);
        await client.ReadBodyAsync(1000);
        client.Reset();
    }

    private static async Task<RawHttp> AskAsync(Scene scene, TestBlob blob)
    {
        var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", Scene.BlobPath(blob.Digest)));
        Assert.Equal(200, (await client.ReadHeadAsync()).Status);
        return client;
    }
}
