using System.Text;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Listening;

/// <summary>What the kernel sends out of a file is as good as what the program writes: in its place, whole, or cut off.</summary>
public sealed class FileSendingTests
{
    /// <summary>More than the buffers between a server and a client that does not read.</summary>
    private const int Size = 16_000_000;

    [Fact]
    public async Task Requests_that_come_at_once_are_answered_whole_and_in_their_order()
    {
        await using var scene = await StartAsync(600_000);
        using var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        var requests = new StringBuilder();
        foreach (var (path, headers) in new (string, string[])[]
        {
            (scene.LayerPath, []),
            (scene.TagPath, []),
            (scene.LayerPath, ["Range: bytes=300000-599998"]),
            (scene.LayerPath, ["Range: bytes=262143-262144"]),
            ("/v2/", []),
            (scene.LayerPath, ["Range: bytes=-1"]),
        })
        {
            requests.Append(RawHttp.Request(scene.Mirror.Url, "GET", path, headers));
        }

        await client.SendAsync(requests.ToString());

        var content = scene.Layer.Content.ToArray();
        Assert.Equal(content, (await client.ReadResponseAsync()).Body);
        Assert.Equal(scene.Image.Manifest.Content.ToArray(), (await client.ReadResponseAsync()).Body);
        Assert.Equal(content[300_000..599_999], (await client.ReadResponseAsync()).Body);
        Assert.Equal(content[262_143..262_145], (await client.ReadResponseAsync()).Body);
        Assert.Equal("{}", (await client.ReadResponseAsync()).Text);
        Assert.Equal(content[^1..], (await client.ReadResponseAsync()).Body);
    }

    [Fact]
    public async Task Who_reads_slowly_gets_all_of_it_while_others_get_theirs()
    {
        await using var scene = await StartAsync(Size);
        using var slow = await AskAsync(scene);
        var head = await slow.ReadHeadAsync();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => scene.GetExactlyAsync(scene.LayerPath, scene.Layer)));

        Assert.Equal(scene.Layer.Content.ToArray(), (await slow.ReadRestAsync(head)).Body);
    }

    [Fact]
    public async Task Who_leaves_in_the_middle_costs_nobody_anything()
    {
        await using var scene = await StartAsync(Size);
        for (var i = 0; i < 20; i++)
        {
            using var leaving = await AskAsync(scene);
            await leaving.ReadHeadAsync();
            await leaving.ReadBodyAsync(1 + i * 100_000);
            leaving.Reset();
        }

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.DoesNotContain(scene.Mirror.Log.Lines, line => line.Contains("Unexpected exception", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_becomes_shorter_while_it_is_sent_ends_the_connection_and_never_the_body()
    {
        await using var scene = await StartAsync(Size);
        using var slow = await AskAsync(scene);
        var head = await slow.ReadHeadAsync();
        var file = new StoreLayout(scene.Mirror.DataPath).Blob(scene.Layer.Digest);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            RandomAccess.SetLength(handle, Size - 10);
        }

        var answer = await slow.ReadRestAsync(head);

        Assert.False(answer.IsComplete);
        Assert.Equal(scene.Layer.Content[..answer.Body.Length].ToArray(), answer.Body);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task The_server_stops_while_a_file_is_being_sent()
    {
        await using var scene = await StartAsync(Size);
        using var stuck = await AskAsync(scene);
        await stuck.ReadHeadAsync();

        await scene.Mirror.RestartAsync();

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    /// <summary>Asks for the layer, and takes little at once.</summary>
    private static async Task<RawHttp> AskAsync(Scene scene)
    {
        var client = await RawHttp.ConnectAsync(scene.Mirror.Url, receiveBuffer: 4096);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        return client;
    }

    /// <summary>With a layer that is here and was right a moment ago.</summary>
    private static async Task<Scene> StartAsync(int size)
    {
        var scene = await Scene.StartAsync(layerSize: size);
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        return scene;
    }
}
