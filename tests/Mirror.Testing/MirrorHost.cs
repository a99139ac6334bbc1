using Mirror.Access;
using Mirror.Configuration;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>
/// A real Mirror in the test's process: its own data directory, a free port, and a clock that the test moves. Stopping and starting it again
/// keeps the data.
/// </summary>
public sealed class MirrorHost : IAsyncDisposable
{
    private readonly TemporaryDirectory _data = new();
    private readonly NamesReader? _namesReader;
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private MirrorConfiguration _configuration;
    private MirrorServer? _server;

    private MirrorHost(IReadOnlyList<RegistryOptions> registries, NamesReader? namesReader)
    {
        _namesReader = namesReader;
        _configuration = new MirrorConfiguration
        {
            Server = new ServerOptions { Listen = [ListenAddress.Parse("127.0.0.1:0")] },
            Storage = new StorageOptions { Path = DataPath },
            Registries = registries,
            Access = new AccessOptions { Anonymous = Rights.Pull | Rights.Push | Rights.Delete },
        };
    }

    /// <summary>The waits between attempts at upstream are over at once.</summary>
    public ManualTime Time { get; } = new() { ShortWait = TimeSpan.FromMilliseconds(800) };

    public RecordedLog Log { get; } = new();

    public string DataPath => _data.Combine("data");

    public Uri Url => _server!.Addresses[0];

    /// <summary>A mirror whose default registry is <paramref name="upstream"/>, under the name of Docker Hub.</summary>
    public static Task<MirrorHost> StartAsync(FakeServer upstream, Func<RegistryOptions, RegistryOptions>? configure = null)
    {
        var registry = Registry("docker.io", upstream) with { Default = true };
        return StartAsync([configure?.Invoke(registry) ?? registry]);
    }

    /// <param name="registries">What may be pulled through.</param>
    /// <param name="namesReader">Whom rules name; nobody where this is null.</param>
    public static async Task<MirrorHost> StartAsync(IReadOnlyList<RegistryOptions> registries, NamesReader? namesReader = null)
    {
        var host = new MirrorHost(registries, namesReader);
        await host.StartAsync();
        return host;
    }

    /// <summary>
    /// Without completion: most tests count or script what upstream is asked for, and their client is not to meet another. Tests about
    /// completion turn it on.
    /// </summary>
    public static RegistryOptions Registry(string name, FakeServer upstream) => new() { Name = name, Url = upstream.Url, Complete = 0 };

    /// <summary>The digests of all published content, read off the disk.</summary>
    public IReadOnlyList<Digest> Published() =>
    [
        .. Directory.EnumerateFiles(Path.Combine(DataPath, "blobs"), "*", SearchOption.AllDirectories)
            .Select(file => Digest.Parse($"{Path.GetRelativePath(Path.Combine(DataPath, "blobs"), file).Split('/')[0]}:{Path.GetFileName(file)}")),
    ];

    /// <summary>Waits until a blob is published and recorded: clients have it before it is, for they do not wait for the disk.</summary>
    public Task PublishedAsync(Digest digest) => LoggedAsync($"Downloaded {digest}");

    /// <summary>Waits until a line of the log contains <paramref name="text"/>.</summary>
    public async Task LoggedAsync(string text)
    {
        for (var attempt = 0; !Log.Lines.Any(line => line.Contains(text, StringComparison.Ordinal)); attempt++)
        {
            if (attempt == 3000)
            {
                throw new TimeoutException($"'{text}' was not logged.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }

    /// <summary>How many files are in the staging folder.</summary>
    public int Staged() => Directory.EnumerateFiles(Path.Combine(DataPath, "staged")).Count();

    /// <summary>Ends the server and runs <paramref name="change"/> before it starts again on the same data.</summary>
    public async Task RestartAsync(Action change)
    {
        await _server!.DisposeAsync();
        change();
        await StartAsync();
    }

    public Task RestartAsync() => RestartAsync(() => { });

    /// <summary>Starts again on the same data with other registries.</summary>
    public Task RestartAsync(IReadOnlyList<RegistryOptions> registries) =>
        RestartAsync(() => _configuration = _configuration with { Registries = registries });

    public Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, headers);

    public Task<HttpResponseMessage> HeadAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Head, path, headers);

    /// <summary>The answer with its headers; the body is still on its way.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, new Uri(Url, path));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _data.Dispose();
    }

    private async Task StartAsync() => _server = await MirrorServer.StartAsync(_configuration, Log, Time, _namesReader);
}
