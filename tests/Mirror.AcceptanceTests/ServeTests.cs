using System.Net;
using System.Net.Sockets;
using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>What <c>mirror serve</c> says, with words and exit code, to whoever starts and stops it.</summary>
public sealed class ServeTests
{
    [Fact]
    public async Task A_second_mirror_on_a_data_directory_says_so_and_exits_with_1()
    {
        await using var mirror = await MirrorProcess.StartAsync(new Uri("http://127.0.0.1:1"));
        using var folder = new TemporaryDirectory();

        var second = await ServeAsync(folder, $"server: {{ listen: 127.0.0.1:0 }}\nstorage: {{ path: {mirror.DataPath} }}");

        AssertFailed(second, $"the data directory {mirror.DataPath} is in use by another process");
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
}
