using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Configuration;

namespace Mirror.Testing;

/// <summary>
/// A real Mirror in the test's process: its own data directory, a free port, and a clock that the test moves. Stopping and starting it again
/// keeps the data.
/// </summary>
public sealed class MirrorHost : IAsyncDisposable
{
    private readonly TemporaryDirectory _data = new();
    private readonly MirrorConfiguration _configuration;
    private readonly ILoggerFactory _loggers;
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private MirrorServer? _server;

    private MirrorHost(IReadOnlyList<RegistryOptions> registries, ILoggerFactory? loggers)
    {
        _loggers = loggers ?? NullLoggerFactory.Instance;
        _configuration = new MirrorConfiguration
        {
            Server = new ServerOptions { Listen = [ListenAddress.Parse("127.0.0.1:0")] },
            Storage = new StorageOptions { Path = DataPath },
            Registries = registries,
        };
    }

    public ManualTime Time { get; } = new();

    public string DataPath => _data.Combine("data");

    public Uri Url => _server!.Addresses[0];

    /// <summary>A mirror whose default registry is <paramref name="upstream"/>, under the name of Docker Hub.</summary>
    public static Task<MirrorHost> StartAsync(FakeServer upstream, ILoggerFactory? loggers = null) => StartAsync([Registry("docker.io", upstream) with { Default = true }], loggers);

    public static async Task<MirrorHost> StartAsync(IReadOnlyList<RegistryOptions> registries, ILoggerFactory? loggers = null)
    {
        var host = new MirrorHost(registries, loggers);
        await host.StartAsync();
        return host;
    }

    public static RegistryOptions Registry(string name, FakeServer upstream) => new() { Name = name, Url = upstream.Url };

    public async Task RestartAsync()
    {
        await _server!.DisposeAsync();
        await StartAsync();
    }

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

    private async Task StartAsync() => _server = await MirrorServer.StartAsync(_configuration, _loggers, Time);
}
