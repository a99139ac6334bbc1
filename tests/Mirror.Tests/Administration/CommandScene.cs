using System.CommandLine;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Mirror.Administration;
using Mirror.Commands;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Administration;

/// <summary>What a command printed, and how it ended.</summary>
internal sealed record CommandRun(int Code, string Output, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;
}

/// <summary>An upstream, a configuration file, and the commands that are given it; a server beside them, or none.</summary>
internal sealed class CommandScene : IAsyncDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private MirrorServer? _server;

    private CommandScene(FakeRegistry upstream) => Upstream = upstream;

    public static RepositoryName Repository { get; } = RepositoryName.Parse("library/alpine");

    public FakeRegistry Upstream { get; }

    public RecordedLog Log { get; } = new();

    public string DataPath { get; private set; } = "";

    public string SocketPath => AdministrationSocket.Locate(DataPath);

    public Uri Url => _server!.Addresses.Single();

    private string ConfigurationFile => _folder.Combine("mirror.yml");

    /// <param name="serving">Whether a server runs.</param>
    /// <param name="data">The data directory's name.</param>
    /// <param name="options">More of the registry, as it is written in the configuration.</param>
    /// <param name="lab">Another registry, with the alias lab.</param>
    /// <param name="sync">What is copied, as it is written in the configuration.</param>
    public static async Task<CommandScene> StartAsync(
        bool serving, string data = "data", string options = "", FakeRegistry? lab = null, string sync = "")
    {
        var scene = new CommandScene(await FakeRegistry.StartAsync());
        scene.DataPath = scene._folder.Combine(data);
        await scene.ConfigureAsync(options, lab is null ? "" : $"lab: {{ url: {lab.Url} }}", sync);
        if (serving)
        {
            await scene.ServeAsync();
        }

        return scene;
    }

    public MirrorConfiguration Configuration()
    {
        var answer = Mirror.Configuration.ConfigurationFile.Load(ConfigurationFile, _folder.Path, new Dictionary<string, string>());
        return Assert.IsType<ConfigurationAnswer.Loaded>(answer).Configuration;
    }

    public async Task ServeAsync() => _server ??= await MirrorServer.StartAsync(Configuration(), Log, TimeProvider.System);

    /// <summary>Starts the server again with other options of the registry.</summary>
    public async Task ReconfigureAsync(string options)
    {
        await StopServingAsync();
        await ConfigureAsync(options, other: "", sync: "");
        await ServeAsync();
    }

    public async Task StopServingAsync()
    {
        await _server!.DisposeAsync();
        _server = null;
    }

    /// <summary>Runs a command with this scene's configuration.</summary>
    public async Task<CommandRun> RunAsync(params string[] arguments)
    {
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        var code = await RunAsync(output, error, CancellationToken.None, arguments);
        return new CommandRun(code, output.ToString(), error.ToString());
    }

    public Task<int> RunAsync(TextWriter output, TextWriter error, CancellationToken stopping, params string[] arguments)
    {
        var streams = new InvocationConfiguration { Output = output, Error = error };
        Command[] commands = 
        [
            WarmCommand.Create(), RefreshCommand.Create(), RemoveCommand.Create(), ImagesCommand.Create(), UsageCommand.Create(),
            RebuildCommand.Create(), AdoptCommand.Create(), SyncCommand.Create(),
        ];
        string[] all = [.. arguments, "-c", ConfigurationFile];
        if (!stopping.CanBeCanceled)
        {
            return CommandLine.RunAsync(commands, all, streams);
        }

        var root = new RootCommand { GlobalOptions.ConfigurationFile };
        Array.ForEach(commands, root.Subcommands.Add);
        return root.Parse(all).InvokeAsync(streams, stopping);
    }

    public Task<RawResponse> GetAsync(string path) => RawHttp.GetAsync(Url, path);

    /// <summary>Pulls an image as a client does, and fails unless everything is right.</summary>
    public async Task PullAsync(TestImage image, RepositoryName? repository = null)
    {
        await GetExactlyAsync($"/v2/{repository ?? Repository}/manifests/{image.Digest}", image.Manifest);
        foreach (var blob in image.Blobs)
        {
            await GetExactlyAsync($"/v2/{repository ?? Repository}/blobs/{blob.Digest}", blob);
        }
    }

    public async Task GetExactlyAsync(string path, TestBlob expected)
    {
        var answer = await GetAsync(path);
        Assert.Equal((200, true), (answer.Status, answer.IsComplete));
        Assert.True(answer.Body.AsSpan().SequenceEqual(expected.Content.Span), $"{path} has other bytes");
    }

    /// <summary>A request over the socket, as no command would send it.</summary>
    public async Task<(int Status, string Body)> AskSocketAsync(string method, string path, string body = "")
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        using var request = new HttpRequestMessage(new HttpMethod(method), $"http://mirror{path}");
        request.Content = new StringContent(body, Encoding.UTF8);
        // What is refused for its size is refused before it is sent.
        request.Headers.ExpectContinue = body.Length > 0;
        using var answer = await http.SendAsync(request);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private Task ConfigureAsync(string options, string other, string sync) => File.WriteAllTextAsync(ConfigurationFile, $$"""
        server: { listen: 127.0.0.1:0 }
        storage: { path: {{Path.GetFileName(DataPath)}} }
        local: ["*", "own/**"]
        access: { anonymous: [pull, push] }
        registries:
          docker.io: { url: {{Upstream.Url}}, default: true{{options}} }
          {{other}}
        sync: { {{sync}} }
        """);

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await Upstream.DisposeAsync();
        _folder.Dispose();
    }
}
