using System.Text.RegularExpressions;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// CNCF Distribution as upstream: a process of its own, on a port and a folder that it keeps when it is stopped and started again.
/// </summary>
internal sealed partial class DistributionRegistry : IAsyncDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private readonly List<string> _log = [];
    private ChildProcess? _process;
    private int _port;

    private DistributionRegistry(BasicCredentials? credentials) => Credentials = credentials;

    /// <summary>Without them nothing is answered; null for a registry that is open to everybody.</summary>
    public BasicCredentials? Credentials { get; }

    /// <summary><c>127.0.0.1:port</c>.</summary>
    public string Host => $"127.0.0.1:{_port}";

    public Uri Url => new($"http://{Host}");

    /// <summary>Its root directory.</summary>
    public string DataPath => _folder.Combine("data");

    /// <summary>The lines of its access log that are about a mirror's requests.</summary>
    public IReadOnlyList<string> MirrorRequests =>
        [.. _log.Concat(_process?.Lines ?? []).Where(line => line.Contains(" \"mirror/", StringComparison.Ordinal))];

    public static async Task<DistributionRegistry> StartAsync(BasicCredentials? credentials = null)
    {
        var registry = new DistributionRegistry(credentials);
        try
        {
            if (credentials is not null)
            {
                var line = await Command.RunAsync("htpasswd", ["-Bbn", credentials.Username, credentials.Password]);
                await File.WriteAllTextAsync(registry._folder.Combine("htpasswd"), line.Succeeded().Output);
            }

            await registry.StartAsync();
            return registry;
        }
        catch
        {
            await registry.DisposeAsync();
            throw;
        }
    }

    public async Task StartAsync()
    {
        var auth = Credentials is null ? "" : $"auth: {{ htpasswd: {{ realm: upstream, path: {_folder.Combine("htpasswd")} }} }}";
        await File.WriteAllTextAsync(_folder.Combine("config.yml"), $$"""
            version: 0.1
            storage: { filesystem: { rootdirectory: {{DataPath}} }, delete: { enabled: true } }
            http: { addr: "127.0.0.1:{{_port}}" }
            {{auth}}
            """);
        _process = ChildProcess.Start("docker-registry", ["serve", _folder.Combine("config.yml")]);
        _port = int.Parse(Listening().Match(await _process.LineWithAsync("listening on ")).Groups["port"].Value);
    }

    /// <summary>From here on nothing listens at its port.</summary>
    public async Task StopAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            await process.DisposeAsync();
            _log.AddRange(process.Lines);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _folder.Dispose();
    }

    [GeneratedRegex(@"listening on 127\.0\.0\.1:(?<port>\d+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Listening();
}
