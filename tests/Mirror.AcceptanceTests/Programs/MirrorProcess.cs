using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// <c>mirror serve</c> as its users run it: a process of its own, a configuration file, a data directory and a port, which stay the same
/// when it is stopped or killed and started again.
/// </summary>
internal sealed partial class MirrorProcess : IAsyncDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private readonly List<string> _log = [];
    private readonly string _level;
    private readonly string? _dataPath;
    private readonly string? _trace;
    private readonly TlsFiles? _tls;
    private readonly IPAddress _address = IPAddress.Loopback;
    private string _access = "anonymous: [pull, push, delete]";
    private string _registries;
    private string _server;
    private string _sync = "";
    private string? _failing;
    private ChildProcess? _process;
    private int _port;

    private MirrorProcess(string registries, string level, string? dataPath, string? trace, string server = "") =>
        (_registries, _level, _dataPath, _trace, _server) = (registries, level, dataPath, trace, server);

    private MirrorProcess(string registries, string access, TlsFiles? tls, IPAddress address)
        : this(registries, "info", dataPath: null, trace: null) =>
        (_access, _tls, _address, _server) = (access, tls, address, tls is null
            ? ""
            : $", tls: {{ certificate: {tls.Certificate}, key: {tls.Key}, clientCa: {tls.Authority} }}");

    public Uri Url => new($"{(_tls is null ? "http" : "https")}://{Host}");

    /// <summary><c>127.0.0.1:port</c>, or with TLS the name in its certificate and the port.</summary>
    public string Host => $"{_tls?.Name ?? $"{_address}"}:{_port}";

    public string DataPath => _dataPath ?? _folder.Combine("data");

    public string ConfigurationFile => _folder.Combine("mirror.yml");

    /// <summary>All that it has printed, over all its starts.</summary>
    public IReadOnlyList<string> Log => [.. _log, .. _process?.Lines ?? []];

    /// <summary>A mirror whose default registry, under the name of Docker Hub, is <paramref name="upstream"/>.</summary>
    /// <param name="upstream">Where that registry really is.</param>
    /// <param name="credentials">For upstream, and all that they can read is for everybody. The password is given in a file.</param>
    /// <param name="tagFreshness">As it is written in the configuration.</param>
    /// <param name="level">Of the log.</param>
    /// <param name="ghcr">Where the registry under the name of <c>ghcr.io</c> really is, if there is to be one.</param>
    /// <param name="dataPath">A data directory of the caller's; null for one that goes with this.</param>
    public static async Task<MirrorProcess> StartAsync(
        Uri upstream,
        BasicCredentials? credentials = null,
        string tagFreshness = "5m",
        string level = "info",
        Uri? ghcr = null,
        string? dataPath = null)
    {
        var login = credentials is null ? "" : $", username: {credentials.Username}, passwordFile: password, share: all";
        var hub = $"docker.io: {{ url: {upstream}, default: true, tagFreshness: {tagFreshness}{login} }}";
        var mirror = new MirrorProcess(ghcr is null ? hub : $"{hub}, ghcr.io: {{ url: {ghcr} }}", level, dataPath, trace: null);
        await File.WriteAllTextAsync(mirror._folder.Combine("password"), credentials?.Password);
        return await StartedAsync(mirror);
    }

    /// <summary>A mirror without upstreams: every name is its own, to be pushed to.</summary>
    /// <param name="trace">Gets a list of its system calls that are about files and connections; null for none.</param>
    /// <param name="server">What its configuration says of how it is reached, beside where it listens: <c>, key: value</c>.</param>
    /// <param name="level">Of the log.</param>
    /// <param name="failing">Which of the listed calls fail, and how, in strace's words; null for none.</param>
    public static Task<MirrorProcess> StartAloneAsync(string? trace = null, string server = "", string level = "info", string? failing = null) =>
        StartedAsync(new MirrorProcess("", level, dataPath: null, trace, server) { _failing = failing });

    /// <summary>A mirror without upstreams that speaks TLS, and takes certificates of the same authority from clients.</summary>
    /// <param name="tls">Its files and its name.</param>
    /// <param name="address">Where it listens.</param>
    /// <param name="access">Who may do what, as it is written in the configuration.</param>
    public static Task<MirrorProcess> StartSecureAsync(TlsFiles tls, IPAddress address, string access) =>
        StartedAsync(new MirrorProcess("", access, tls, address));

    /// <summary>A mirror on plain HTTP of which not everybody may do everything.</summary>
    /// <param name="upstream">The default registry, under the name of Docker Hub.</param>
    /// <param name="host">The name that means that registry.</param>
    /// <param name="access">Who may do what, as it is written in the configuration.</param>
    public static Task<MirrorProcess> StartGuardedAsync(Uri upstream, string host, string access) =>
        StartedAsync(new MirrorProcess(
            $"docker.io: {{ url: {upstream}, default: true, host: {host} }}", access, tls: null, IPAddress.Loopback));

    /// <summary>A mirror that copies between registries. It is not started: commands do without a server.</summary>
    /// <param name="registries">As they are written in the configuration.</param>
    /// <param name="sync">The same.</param>
    public static async Task<MirrorProcess> ConfigureAsync(string registries, string sync)
    {
        var mirror = new MirrorProcess(registries, "info", dataPath: null, trace: null);
        await mirror.ReconfigureAsync(registries, sync);
        return mirror;
    }

    /// <summary>Runs <c>mirror</c> to its end.</summary>
    public static Task<Command> RunAsync(params IReadOnlyList<string> arguments) => Command.RunAsync(Dotnet, [Program, .. arguments]);

    /// <summary>The same with something on standard input.</summary>
    public static Task<Command> RunWithAsync(string input, params IReadOnlyList<string> arguments) =>
        Command.RunWithAsync(input, Dotnet, [Program, .. arguments]);

    /// <summary>Starts another command with this mirror's configuration.</summary>
    public ChildProcess StartCommand(params IReadOnlyList<string> arguments) =>
        ChildProcess.Start(Dotnet, [Program, .. arguments, "-c", ConfigurationFile]);

    /// <summary>Runs another command with this mirror's configuration to its end.</summary>
    public Task<Command> CommandAsync(params IReadOnlyList<string> arguments) => RunAsync([.. arguments, "-c", ConfigurationFile]);

    /// <summary>What the next command or start goes by.</summary>
    public Task ReconfigureAsync(string registries, string sync)
    {
        (_registries, _sync) = (registries, sync);
        return WriteConfigurationAsync();
    }

    /// <summary>Starts on the port that it had before, or on a free one the first time, and waits until it is ready.</summary>
    public async Task StartAsync()
    {
        await WriteConfigurationAsync();
        string[] serve = [Program, "serve", "-c", ConfigurationFile];
        _process = _trace is null
            ? ChildProcess.Start(Dotnet, serve)
            : ChildProcess.Start("strace", [.. SystemCalls.Options(_trace, _failing), Dotnet, .. serve]);
        _port = int.Parse(Listening().Match(await _process.LineWithAsync("Listening on ")).Groups["port"].Value);
        using var http = new HttpClient(_tls?.Handler(_address) ?? new SocketsHttpHandler());
        using var ready = await http.GetAsync(new Uri(Url, "/readyz"));
        ready.EnsureSuccessStatusCode();
    }

    /// <summary>Starts again, at the same port, with another configuration of how it is reached.</summary>
    public Task RestartAsync(string server)
    {
        _server = server;
        return RestartAsync();
    }

    /// <summary>The same with other rights.</summary>
    public Task RestartWithAccessAsync(string access)
    {
        _access = access;
        return RestartAsync();
    }

    /// <summary>Waits until it has printed this, whether it is ready or not.</summary>
    public Task PrintsAsync(string text) => Poll.UntilAsync(
        () => Task.FromResult(Log.Any(line => line.Contains(text, StringComparison.Ordinal))),
        TimeSpan.FromSeconds(30),
        () => $"'{text}' was not printed");

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        await _process!.KillAsync();
        await ForgetProcessAsync();
    }

    /// <summary>SIGTERM, without waiting for what comes of it.</summary>
    public void Terminate() => _process!.Terminate();

    /// <summary>The exit code of the process when it ends; it has been told to.</summary>
    public async Task<int> ExitedAsync()
    {
        var code = await _process!.ExitedAsync();
        await ForgetProcessAsync();
        return code;
    }

    /// <summary>
    /// Waits until these blobs are in the store to stay, which comes after a client has them. Upstream is down: else it would be asked.
    /// </summary>
    public async Task HoldsAsync(RepositoryName repository, IEnumerable<Digest> blobs)
    {
        using var http = new HttpClient { BaseAddress = Url };
        foreach (var digest in blobs)
        {
            await Poll.UntilAsync(
                async () =>
                {
                    using var head = new HttpRequestMessage(HttpMethod.Head, $"/v2/{repository}/blobs/{digest}");
                    using var answer = await http.SendAsync(head);
                    return answer.IsSuccessStatusCode;
                },
                TimeSpan.FromSeconds(30),
                () => $"{digest} is not in the store");
        }
    }

    /// <summary>The digests that the names of the published files claim.</summary>
    public IReadOnlyList<(Digest Digest, string File)> PublishedFiles() =>
    [
        .. Directory.EnumerateFiles(Path.Combine(DataPath, "blobs"), "*", SearchOption.AllDirectories)
            .Select(file => (Digest.Parse($"{Directory.GetParent(file)!.Parent!.Name}:{Path.GetFileName(file)}"), file)),
    ];

    /// <summary>The most memory that it has had at once since it was started, in megabytes: VmHWM of its kernel.</summary>
    public long PeakMegabytes() => File.ReadLines($"/proc/{_process!.Id}/status")
        .Where(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
        .Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024 / 1_000_000)
        .Single();

    /// <summary>What was being received.</summary>
    public IEnumerable<string> StagedFiles() => Directory.EnumerateFiles(Path.Combine(DataPath, "staged"));

    public async ValueTask DisposeAsync()
    {
        await ForgetProcessAsync();
        _folder.Dispose();
    }

    /// <summary>The program's own output lies beside the tests', with the configuration that its runtime needs.</summary>
    private static string Program => Path.Combine(AppContext.BaseDirectory, "mirror.dll");

    private static string Dotnet => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static async Task<MirrorProcess> StartedAsync(MirrorProcess mirror)
    {
        try
        {
            await mirror.StartAsync();
            return mirror;
        }
        catch
        {
            await mirror.DisposeAsync();
            throw;
        }
    }

    private Task WriteConfigurationAsync() => File.WriteAllTextAsync(ConfigurationFile, $$"""
        server: { listen: {{_address}}:{{_port}}{{_server}} }
        storage: { path: {{DataPath}} }
        registries: { {{_registries}} }
        access: { {{_access}} }
        sync: { {{_sync}} }
        observability: { log: { level: {{_level}} } }
        """);

    private async Task RestartAsync()
    {
        Terminate();
        await ExitedAsync();
        await StartAsync();
    }

    private async Task ForgetProcessAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            await process.DisposeAsync();
            _log.AddRange(process.Lines);
        }
    }

    [GeneratedRegex(@"Listening on https?://[0-9.]+:(?<port>\d+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Listening();
}
