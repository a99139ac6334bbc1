using System.Net;
using System.Net.Sockets;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>What <c>mirror serve</c> says, with words and exit code, to whoever starts and stops it.</summary>
public sealed class ServeTests
{
    private static readonly RepositoryName Repository = RepositoryName.Parse("library/large");

    [Fact]
    public async Task A_second_mirror_on_a_data_directory_says_so_and_exits_with_1()
    {
        await using var mirror = await MirrorProcess.StartAsync(new Uri("http://127.0.0.1:1"));
        using var folder = new TemporaryDirectory();

        var second = await ServeAsync(folder, $"server: {{ listen: 127.0.0.1:0 }}\nstorage: {{ path: {mirror.DataPath} }}");

        Assert.Contains("Waiting for another process", second.Output, StringComparison.Ordinal);
        AssertFailed(second with { Output = "" }, $"the data directory {mirror.DataPath} is in use by another process");
    }

    [Fact]
    public async Task It_waits_for_a_command_that_is_using_the_data_directory()
    {
        var image = TestImage.Create(layers: 1, layerSize: 1024 * 1024);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        var gate = new Gate();
        upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.Stall(gate));
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        mirror.Terminate();
        await mirror.ExitedAsync();

        var warm = MirrorProcess.RunAsync("warm", "large:1", "-c", mirror.ConfigurationFile);
        await upstream.Received(HttpMethod.Get, image.Layer.Digest);
        var serve = mirror.StartAsync();
        await mirror.PrintsAsync("Waiting for another process");
        gate.Open();

        (await warm).Succeeded();
        await serve;
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
    }

    [Fact]
    public async Task A_port_that_is_in_use_is_named_in_one_line_and_it_exits_with_1()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var folder = new TemporaryDirectory();

        var serve = await ServeAsync(folder, $"server: {{ listen: {listener.LocalEndpoint} }}");

        AssertFailed(serve, $"{listener.LocalEndpoint}");
        Assert.Contains("in use", serve.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_directory_that_can_not_be_made_is_named_in_one_line_and_it_exits_with_1()
    {
        using var folder = new TemporaryDirectory();
        await File.WriteAllTextAsync(folder.Combine("file"), "");

        AssertFailed(await ServeAsync(folder, "storage: { path: file/data }"), folder.Combine("file", "data"));
    }

    [Fact]
    public async Task A_damaged_database_is_named_in_one_line_with_what_to_do_and_it_exits_with_1()
    {
        await using var mirror = await MirrorProcess.StartAloneAsync();
        using (var pusher = new HttpPusher(mirror.Url))
        {
            await pusher.PushAsync("team/app", TestImage.Create(), "1");
        }

        mirror.Terminate();
        await mirror.ExitedAsync();
        await File.WriteAllBytesAsync(Path.Combine(mirror.DataPath, "mirror.db"), new byte[8192]);
        using var folder = new TemporaryDirectory();

        AssertFailed(await ServeAsync(folder, $"storage: {{ path: {mirror.DataPath} }}"), "`mirror rebuild` makes it again");

        (await mirror.CommandAsync("rebuild")).Succeeded();
        await mirror.StartAsync();
        using var http = new HttpClient { BaseAddress = mirror.Url };
        Assert.Equal(TestImage.Create().Manifest.Content.ToArray(), await http.GetByteArrayAsync("/v2/team/app/manifests/1"));
    }

    [Fact]
    public async Task Bad_configuration_exits_with_2_and_all_its_faults()
    {
        using var folder = new TemporaryDirectory();

        var serve = await ServeAsync(folder, "server: { lisen: x }\nregistries: { docker.io: { url: 'ftp://x', tagFreshness: soon } }");

        Assert.Equal((2, ""), (serve.ExitCode, serve.Output));
        var lines = serve.Error.TrimEnd('\n').Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.Contains("did you mean 'listen'?", lines[0], StringComparison.Ordinal);
        Assert.Contains("docker.io.url", lines[1], StringComparison.Ordinal);
        Assert.Contains("docker.io.tagFreshness", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Told_to_stop_it_finishes_the_answer_that_a_slow_client_is_reading()
    {
        var image = TestImage.Create(layers: 1, layerSize: 32 * 1024 * 1024);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        using var client = await RawHttp.ConnectAsync(mirror.Url, receiveBuffer: 16 * 1024);
        await client.SendAsync(RawHttp.Request(mirror.Url, "GET", $"/v2/{Repository}/blobs/{image.Layer.Digest}"));
        var head = await client.ReadHeadAsync();

        mirror.Terminate();
        await RefusesConnectionsAsync(mirror);
        // Longer than any time a framework may give by itself to what is told to stop, and well within ours.
        await ReadSlowlyAsync(client, TimeSpan.FromSeconds(5));
        var answer = await client.ReadRestAsync(head);

        Assert.True(answer.IsComplete);
        Assert.Equal(0, await mirror.ExitedAsync());
    }

    [Fact]
    public async Task Told_to_stop_it_does_not_wait_for_ever_for_a_client_that_does_not_read()
    {
        var image = TestImage.Create(layers: 1, layerSize: 32 * 1024 * 1024);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        using var client = await RawHttp.ConnectAsync(mirror.Url, receiveBuffer: 16 * 1024);
        await client.SendAsync(RawHttp.Request(mirror.Url, "GET", $"/v2/{Repository}/blobs/{image.Layer.Digest}"));
        var head = await client.ReadHeadAsync();

        mirror.Terminate();

        Assert.Equal(0, await mirror.ExitedAsync());
        Assert.False((await client.ReadRestAsync(head)).IsComplete);
    }

    [Fact]
    public async Task Told_to_stop_it_does_not_wait_for_an_upstream_that_is_silent()
    {
        var image = TestImage.Create(layers: 1, layerSize: 1024 * 1024);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.StallAfter(512 * 1024));
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        using var client = await RawHttp.ConnectAsync(mirror.Url);
        await client.SendAsync(RawHttp.Request(mirror.Url, "GET", $"/v2/{Repository}/blobs/{image.Layer.Digest}"));
        await client.ReadHeadAsync();
        await client.ReadBodyAsync(128 * 1024);
        client.Reset();

        var told = TimeProvider.System.GetTimestamp();
        mirror.Terminate();

        Assert.Equal(0, await mirror.ExitedAsync());
        Assert.InRange(TimeProvider.System.GetElapsedTime(told), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    private static async Task<Command> ServeAsync(TemporaryDirectory folder, string configuration)
    {
        var file = folder.Combine("mirror.yml");
        await File.WriteAllTextAsync(file, configuration);
        return await MirrorProcess.RunAsync("serve", "-c", file);
    }

    private static void AssertFailed(Command serve, string why)
    {
        Assert.Equal(1, serve.ExitCode);
        var line = Assert.Single(serve.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("mirror: ", line, StringComparison.Ordinal);
        Assert.Contains(why, line, StringComparison.Ordinal);
        Assert.Empty(serve.Output);
    }

    private static Task RefusesConnectionsAsync(MirrorProcess mirror) => Poll.UntilAsync(
        async () =>
        {
            try
            {
                using var connection = await RawHttp.ConnectAsync(mirror.Url);
                return false;
            }
            catch (SocketException)
            {
                return true;
            }
        },
        TimeSpan.FromSeconds(10),
        () => "it still accepts connections");

    private static async Task ReadSlowlyAsync(RawHttp client, TimeSpan howLong)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(started) < howLong)
        {
            Assert.Equal(64 * 1024, (await client.ReadBodyAsync(64 * 1024)).Length);
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }
}
