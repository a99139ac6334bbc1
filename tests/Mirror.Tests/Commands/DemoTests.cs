using System.CommandLine;
using System.Text.Json;
using Mirror.Commands;
using Mirror.Testing;

namespace Mirror.Tests.Commands;

public sealed class DemoTests : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Pulling_again_or_with_the_upstream_stopped_costs_upstream_nothing_and_eight_clients_cost_it_each_blob_once()
    {
        var (code, output, error) = await RunAsync("demo", "--json");

        Assert.Equal((0, ""), (code, error));
        using var document = JsonDocument.Parse(output);
        var pulls = document.RootElement.GetProperty("pulls").EnumerateArray().ToDictionary(pull => pull.GetProperty("pull").GetString()!);
        var (cold, warm, crowd, stopped) = (pulls["cold"], pulls["warm"], pulls["8 clients, cold"], pulls["upstream stopped"]);

        const int ManifestConfigAndLayers = 6;
        Assert.Equal(ManifestConfigAndLayers, Number(cold, "upstreamRequests"));
        Assert.Equal(Number(cold, "receivedBytes"), Number(cold, "upstreamSentBytes"));

        Assert.Equal(0, Number(warm, "upstreamRequests"));
        Assert.Equal(0, Number(stopped, "upstreamRequests"));
        Assert.Equal(Number(cold, "receivedBytes"), Number(warm, "receivedBytes"));
        Assert.Equal(Number(cold, "receivedBytes"), Number(stopped, "receivedBytes"));

        Assert.Equal(8, Number(crowd, "clients"));
        Assert.Equal(1, Number(crowd, "upstreamRequestsPerBlob"));
        Assert.Equal(8 * Number(cold, "receivedBytes") / 1_000_000, Number(crowd, "receivedBytes") / 1_000_000);
    }

    [Fact]
    public async Task Nothing_is_left_behind_and_a_table_is_printed()
    {
        var (code, output, error) = await RunAsync("demo");

        Assert.Equal((0, ""), (code, error));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
        Assert.Contains("11 pulls, every digest verified", output, StringComparison.Ordinal);
        Assert.All(output.Split('\n'), line => Assert.InRange(line.Length, 0, 130));
    }

    [Fact]
    public async Task Interrupting_it_leaves_nothing_behind()
    {
        using var stopping = new CancellationTokenSource();
        await using var output = new CancellingWriter("Pulling", stopping);
        await using var error = new StringWriter();
        var streams = new InvocationConfiguration { Output = output, Error = error };

        var code = await DemoCommand.Create(_folder.Path).Parse([]).InvokeAsync(streams, stopping.Token);

        Assert.Equal((1, "mirror: the demonstration was interrupted\n"), (code, error.ToString()));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_folder_that_can_not_be_made_is_said_and_exits_with_1()
    {
        await File.WriteAllTextAsync(_folder.Combine("file"), "");

        var (code, _, error) = await RunInAsync(_folder.Combine("file"), "demo");

        Assert.Equal(1, code);
        Assert.StartsWith("mirror: ", error, StringComparison.Ordinal);
    }

    private static long Number(JsonElement pull, string name) => pull.GetProperty(name).GetInt64();

    private Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) => RunInAsync(_folder.Path, arguments);

    private static async Task<(int Code, string Output, string Error)> RunInAsync(string folder, params string[] arguments)
    {
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        var streams = new InvocationConfiguration { Output = output, Error = error };
        var code = await CommandLine.RunAsync([DemoCommand.Create(folder)], arguments, streams);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Cancels when a line of the output begins as it was told.</summary>
    private sealed class CancellingWriter(string beginning, CancellationTokenSource cancellation) : StringWriter
    {
        public override Task WriteLineAsync(string? value)
        {
            if (value?.StartsWith(beginning, StringComparison.Ordinal) is true)
            {
                cancellation.Cancel();
            }

            return base.WriteLineAsync(value);
        }
    }
}
