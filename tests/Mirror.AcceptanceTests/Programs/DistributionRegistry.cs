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
    private string _notifications = "";
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
            {{_notifications}}
            """);
        _process = ChildProcess.Start("docker-registry", ["serve", _folder.Combine("config.yml")]);
        _port = int.Parse(Listening().Match(await _process.LineWithAsync("listening on ")).Groups["port"].Value);
    }

    /// <summary>Starts again, and then knows all that it has logged so far.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    /// <summary>Starts again, and from then on tells of all that happens.</summary>
    /// <param name="endpoint">Whom.</param>
    /// <param name="secret">What it sends as a bearer token.</param>
    public Task RestartAsync(Uri endpoint, string secret)
    {
        _notifications = $$"""
            notifications:
              endpoints:
                - name: mirror
                  url: "{{endpoint}}"
                  headers: { Authorization: ["Bearer {{secret}}"] }
                  timeout: 5s
                  threshold: 5
                  backoff: 1s
            """;
        return RestartAsync();
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
