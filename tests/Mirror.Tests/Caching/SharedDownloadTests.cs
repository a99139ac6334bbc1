using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class SharedDownloadTests
{
    private const int LayerSize = 2_000_000;

    [Fact]
    public async Task Sixteen_clients_on_a_cold_blob_cost_one_upstream_request_and_have_bytes_before_upstream_has_sent_all()
    {
        await using var scene = await Scene.StartAsync(layerSize: LayerSize);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.Drip(64 * 1024, gate));
        gate.ReleaseBytes(LayerSize / 2);

        var clients = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => AskAsync(scene)));
        var firsts = await Task.WhenAll(clients.Select(client => client.ReadBodyAsync(100_000)));
        Assert.True(gate.Sent < LayerSize);
        gate.Open();
        var rests = await Task.WhenAll(clients.Select(client => client.ReadBodyAsync(LayerSize - 100_000)));

        Assert.All(firsts.Zip(rests), parts => Assert.Equal(scene.Layer.Content.ToArray(), parts.First.Concat(parts.Second).ToArray()));
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
        Dispose(clients);
    }

    [Fact]
    public async Task The_client_that_started_a_download_leaves_and_the_others_finish()
    {
        await using var scene = await Scene.StartAsync(layerSize: LayerSize);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.Drip(64 * 1024, gate));
        gate.ReleaseBytes(LayerSize / 2);

        var first = await AskAsync(scene);
        await first.ReadBodyAsync(1000);
        var others = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => AskAsync(scene)));
        first.Reset();
        gate.Open();

        foreach (var other in others)
        {
            Assert.Equal(scene.Layer.Content.ToArray(), await other.ReadBodyAsync(LayerSize));
        }

        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
        Dispose(others);
    }

    [Fact]
    public async Task All_clients_leave_and_the_download_finishes_for_the_next()
    {
        await using var scene = await Scene.StartAsync(layerSize: LayerSize);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.Drip(64 * 1024, gate));
        gate.ReleaseBytes(LayerSize / 2);
        var clients = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => AskAsync(scene)));
        await clients[0].ReadBodyAsync(1000);

        Array.ForEach(clients, client => client.Reset());
        gate.Open();
        var request = await scene.Upstream.Received(HttpMethod.Get, scene.Layer.Digest);
        await request.Ended;

        Assert.True(request.IsComplete);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task A_client_that_hardly_reads_slows_neither_the_download_nor_the_others()
    {
        // Larger than all the buffers between upstream and the slow client together.
        await using var scene = await Scene.StartAsync(layerSize: 16_000_000);

        using var slow = await RawHttp.ConnectAsync(scene.Mirror.Url, receiveBuffer: 4096);
        await slow.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        await slow.ReadHeadAsync();
        var start = await slow.ReadBodyAsync(1024);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
        var rest = await slow.ReadBodyAsync((int)scene.Layer.Size - 1024);
        Assert.Equal(scene.Layer.Content.ToArray(), start.Concat(rest).ToArray());
    }

    [Fact]
    public async Task Sixteen_clients_on_a_cold_tag_cost_one_upstream_request()
    {
        await using var scene = await Scene.StartAsync();
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, Scene.Repository, Scene.Tag).Do(Behaviour.Stall(gate));

        var asking = Enumerable.Range(0, 16).Select(_ => scene.GetRawAsync(scene.TagPath)).ToList();
        await gate.Arrived();
        gate.Open();
        var answers = await Task.WhenAll(asking);

        Assert.All(answers, answer => Assert.Equal(scene.Image.Manifest.Content.ToArray(), answer.Body));
        Assert.Single(scene.Upstream.Requests);
    }

    [Fact]
    public async Task All_who_wait_for_a_download_see_its_failure()
    {
        await using var scene = await Scene.StartAsync(layerSize: LayerSize);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.StallAfter(LayerSize / 2, gate), Behaviour.WrongBytes(LayerSize - 1));

        var clients = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AskAsync(scene)));
        await Task.WhenAll(clients.Select(client => client.ReadBodyAsync(1000)));
        gate.Open();

        foreach (var client in clients)
        {
            var rest = await client.ReadBodyAsync(LayerSize);
            Assert.True(rest.Length < LayerSize - 1000);
        }

        Dispose(clients);
    }

    private static async Task<RawHttp> AskAsync(Scene scene)
    {
        var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        var head = await client.ReadHeadAsync();
        Assert.Equal(200, head.Status);
        return client;
    }

    private static void Dispose(RawHttp[] clients) => Array.ForEach(clients, client => client.Dispose());
}
