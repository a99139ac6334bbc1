using System.Text.RegularExpressions;
using Mirror.Configuration;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>
/// A real Mirror in the test's process: its own data directory, a free port, and a clock that the test moves. Stopping and starting it again
/// keeps the data.
/// </summary>
public sealed partial class MirrorHost : IAsyncDisposable
{
    private readonly TemporaryDirectory _data = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private MirrorConfiguration _configuration;
    private MirrorServer? _server;

    private MirrorHost(
        IReadOnlyList<RegistryOptions> registries,
        AccessOptions? access,
        IEnumerable<string> local,
        Func<ServerOptions, ServerOptions> configure,
        SyncOptions? sync)
    {
        _configuration = new MirrorConfiguration
        {
            Server = configure(new ServerOptions { Listen = [ListenAddress.Parse("127.0.0.1:0")] }),
            Storage = new StorageOptions { Path = DataPath },
            Registries = registries,
            Local = [.. local.Select(RepositoryPattern.Parse)],
            Sync = sync ?? new SyncOptions(),
            Access = access ?? new AccessOptions { Anonymous = Rights.Pull | Rights.Push | Rights.Delete },
        };
    }

    /// <summary>The waits between attempts at upstream are over at once.</summary>
    public ManualTime Time { get; } = new() { ShortWait = TimeSpan.FromMilliseconds(800) };

    public RecordedLog Log { get; } = new();

    public string DataPath => _data.Combine("data");

    public MirrorServer Server => _server!;

    public Uri Url => Server.Addresses[0];

    /// <summary>A mirror whose default registry is <paramref name="upstream"/>, under the name of Docker Hub.</summary>
    public static Task<MirrorHost> StartAsync(FakeServer upstream, Func<RegistryOptions, RegistryOptions>? configure = null)
    {
        var registry = Registry("docker.io", upstream) with { Default = true };
        return StartAsync([configure?.Invoke(registry) ?? registry]);
    }

    /// <param name="registries">What may be pulled through.</param>
    /// <param name="access">Who may do what; everybody everything where this is null.</param>
    /// <param name="local">Names that are its own; the usual ones where this is null.</param>
    /// <param name="configure">Changes how the server is reached.</param>
    /// <param name="sync">What is copied.</param>
    public static async Task<MirrorHost> StartAsync(
        IReadOnlyList<RegistryOptions> registries,
        AccessOptions? access = null,
        IEnumerable<string>? local = null,
        Func<ServerOptions, ServerOptions>? configure = null,
        SyncOptions? sync = null)
    {
        var host = new MirrorHost(registries, access, local ?? [], configure ?? (server => server), sync);
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
    public Task LoggedAsync(string text) =>
        Poll.UntilAsync(() => Log.Lines.Any(line => line.Contains(text, StringComparison.Ordinal)), $"'{text}' was not logged.");

    /// <summary>How many files are in the staging folder.</summary>
    public int Staged() => Directory.EnumerateFiles(Path.Combine(DataPath, "staged")).Count();

    /// <summary>What is in the data directory, or beside it, and has no business there.</summary>
    public IReadOnlyList<string> StrayFiles() =>
    [
        .. Directory.EnumerateFileSystemEntries(_data.Path, "*", SearchOption.AllDirectories)
            .Select(entry => Path.GetRelativePath(_data.Path, entry))
            .Where(entry => !StoresOwn().IsMatch(entry)).Order(StringComparer.Ordinal),
    ];

    /// <summary>Waits until so many bytes of downloads and uploads are staged: what was sent is there a little later.</summary>
    public Task StagedAsync(long bytes) => Poll.UntilAsync(
        // One that has just been published is there no more.
        () => new DirectoryInfo(Path.Combine(DataPath, "staged")).EnumerateFiles("*-*").Sum(file => file.Exists ? file.Length : 0) >= bytes,
        $"{bytes} bytes were not staged.");

    /// <summary>Ends the server and runs <paramref name="change"/> before it starts again on the same data.</summary>
    public Task RestartAsync(Action change) => RestartAsync(() =>
    {
        change();
        return Task.CompletedTask;
    });

    /// <inheritdoc cref="RestartAsync(Action)"/>
    public async Task RestartAsync(Func<Task> change)
    {
        var server = _server!;
        _server = null;
        await server.DisposeAsync();
        await change();
        await StartAsync();
    }

    public Task RestartAsync() => RestartAsync(() => { });

    /// <summary>Starts again on the same data with other rights.</summary>
    public Task RestartAsync(AccessOptions access) => RestartAsync(() => _configuration = _configuration with { Access = access });

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

    [GeneratedRegex(
        @"\Adata(/(lock|(mirror|sync)\.db(-wal|-shm)?|mirror\.sock|refs\.log|staged(/[0-9A-Za-z.-]+)?|blobs(/sha(256|512)(/[0-9a-f]{2}(/[0-9a-f]{64,128})?)?)?))?\z",
        RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex StoresOwn();

    private async Task StartAsync() => _server = await MirrorServer.StartAsync(_configuration, Log, Time);
}
