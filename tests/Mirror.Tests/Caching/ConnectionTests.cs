using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>A registry with one connection for all blobs, so that each shows at once who holds it.</summary>
public sealed class ConnectionTests
{
    private const int Size = 4_000_000;

    [Fact]
    public async Task A_download_that_waits_to_be_gone_on_with_holds_no_connection()
    {
        await using var scene = await StartAsync();
        var (first, second) = (scene.Image.Layers[0], scene.Image.Layers[1]);
        scene.Upstream.On(HttpMethod.Get, first.Digest).Times(1).Do(Behaviour.CutAfter(Size / 2));
        scene.Upstream.On(HttpMethod.Get, first.Digest).Times(1).Do(Behaviour.Status(500));

        var asking = scene.GetRawAsync(Scene.BlobPath(first.Digest));
        await scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(1));
        await scene.GetExactlyAsync(Scene.BlobPath(second.Digest), second);
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(first.Content.ToArray(), (await asking).Body);
    }

    [Fact]
    public async Task Who_has_no_connection_for_a_range_far_ahead_follows_the_download()
    {
        await using var scene = await StartAsync();
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.Drip(64 * 1024, gate));
        gate.ReleaseBytes(100_000);
        using var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        await client.ReadHeadAsync();

        using var other = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await other.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath, "Range: bytes=3000000-3000999"));
        var head = await other.ReadHeadAsync();
        gate.Open();

        Assert.Equal(scene.Layer.Content.Slice(3_000_000, 1000).ToArray(), (await other.ReadRestAsync(head)).Body);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task What_is_streamed_past_a_failing_store_takes_its_turn()
    {
        await using var scene = await StartAsync();
        var staged = Path.Combine(scene.Mirror.DataPath, "staged");
        Directory.Delete(staged, recursive: true);
        await File.WriteAllTextAsync(staged, "no folder");

        var pulls = scene.Image.Layers.Concat(scene.Image.Layers);
        await Task.WhenAll(pulls.Select(layer => scene.GetExactlyAsync(Scene.BlobPath(layer.Digest), layer)));
    }

    private static Task<Scene> StartAsync() =>
        Scene.StartAsync(layers: 2, layerSize: Size, configure: registry => registry with { MaxConnections = 1 });
}
