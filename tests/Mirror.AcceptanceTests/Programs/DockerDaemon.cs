using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// A Docker daemon of its own, beside the machine's if there is one: nothing in it, the daemon.json that docs/clients.md gives it, and no
/// other way out than to that mirror.
/// </summary>
internal sealed partial class DockerDaemon : IAsyncDisposable
{
    private const string SystemFolder = "/etc/docker";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryDirectory _folder = new();
    private ChildProcess? _process;

    private string SocketFile => _folder.Combine("docker.sock");

    private string SettingsFolder => _folder.Combine("docker");

    private string ClientFolder => _folder.Combine("client");

    private string ClientFile => Path.Combine(ClientFolder, "config.json");

    private string Host => $"unix://{SocketFile}";

    private IReadOnlyList<(string Name, string Value)> Client => [("DOCKER_CONFIG", ClientFolder), ("DOCKER_CONTEXT", "")];

    /// <param name="mirror"><c>host:port</c>.</param>
    public static async Task<DockerDaemon> StartAsync(string mirror)
    {
        var daemon = new DockerDaemon();
        return await daemon.StartedAsync(daemon.StartProcessAsync("dockerd", daemon.Arguments(mirror)));
    }

    /// <summary>
    /// The same on a machine that knows the address of another: for that it has files of its own in the place of the system's <c>/etc/hosts</c> and
    /// <c>/etc/docker</c>.
    /// </summary>
    /// <param name="mirror"><c>host:port</c>, or null if the daemon is told of none.</param>
    /// <param name="name">Of the other machine.</param>
    /// <param name="address">The other machine's.</param>
    public static async Task<DockerDaemon> StartBesideAsync(string? mirror, string name, IPAddress address)
    {
        var daemon = new DockerDaemon();
        var hosts = daemon._folder.Combine("hosts");
        await File.WriteAllTextAsync(hosts, $"{await File.ReadAllTextAsync("/etc/hosts")}\n{address} {name}\n");
        Directory.CreateDirectory(daemon.SettingsFolder);
        Directory.CreateDirectory(SystemFolder);
        return await daemon.StartedAsync(daemon.StartProcessAsync(
            OtherFiles.Program,
            OtherFiles.Arguments("dockerd", daemon.Arguments(mirror), [(hosts, "/etc/hosts"), (daemon.SettingsFolder, SystemFolder)])));
    }

    /// <summary>What is the daemon's in the place of <c>/etc/docker/certs.d</c>, for a registry.</summary>
    /// <param name="registry"><c>host:port</c>.</param>
    public string CertificatesOf(string registry) => Directory.CreateDirectory(Path.Combine(SettingsFolder, "certs.d", registry)).FullName;

    /// <summary>The client's settings, with what it has kept of logins; empty where there are none.</summary>
    public string ClientSettings
    {
        get => File.Exists(ClientFile) ? File.ReadAllText(ClientFile) : "";
        set
        {
            Directory.CreateDirectory(ClientFolder);
            File.WriteAllText(ClientFile, value);
        }
    }

    private async Task<DockerDaemon> StartedAsync(Task starting)
    {
        try
        {
            await starting;
            return this;
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public Task<Command> RunAsync(params IReadOnlyList<string> arguments) =>
        Command.RunAsync("docker", ["-H", Host, .. arguments], Client);

    public async Task<Digest> PullAsync(string name)
    {
        var pull = (await RunAsync("pull", name)).Succeeded();
        return Digest.Parse(PulledDigest().Match(pull.Output).Groups["digest"].Value);
    }

    /// <summary>Builds a folder's Dockerfile with the daemon's older builder, which every client has, and on this machine's network.</summary>
    public async Task BuildFolderAsync(string folder, string tag, params IEnumerable<string> arguments) => (await Command.RunLongAsync(
        "docker",
        ["-H", Host, "build", "--network", "host", .. arguments.SelectMany(argument => (string[])["--build-arg", argument]), "--tag", tag, folder],
        [.. Client, ("DOCKER_BUILDKIT", "0")])).Succeeded();

    /// <summary>Builds with the daemon's BuildKit. The client needs a plugin for that, which may be missing; its request is this.</summary>
    public async Task BuildAsync(Uri dockerfile, string tag)
    {
        using var handler = new SocketsHttpHandler { ConnectCallback = ConnectAsync };
        using var http = new HttpClient(handler) { BaseAddress = new Uri("http://docker") };
        var request = $"/build?version=2&t={tag}&remote={Uri.EscapeDataString(dockerfile.AbsoluteUri)}";
        using var answer = await http.PostAsync(request, content: null);
        var progress = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode && progress.Contains("Successfully tagged", StringComparison.Ordinal), progress);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (_process is { } process)
            {
                process.Terminate();
                await process.ExitedAsync();
                await process.DisposeAsync();
            }
        }
        finally
        {
            await UnmountAsync();
            _folder.Dispose();
        }
    }

    private IReadOnlyList<string> Arguments(string? mirror)
    {
        var settings = _folder.Combine("daemon.json");
        File.WriteAllText(settings, mirror is null ? "{}" : ClientsPage.Setting("Docker", "/etc/docker/daemon.json", mirror));
        return
        [
            "--data-root", _folder.Combine("data"),
            "--exec-root", _folder.Combine("exec"),
            "--pidfile", _folder.Combine("docker.pid"),
            "--config-file", settings,
            "--host", Host,
            // The machine's network stays as it is; containers use it as their own.
            "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
        ];
    }

    private async Task StartProcessAsync(string program, IReadOnlyList<string> arguments)
    {
        _process = ChildProcess.Start(program, arguments, NoWayOut.Environment);
        await _process.LineWithAsync("API listen on ");
        Command? info = null;
        await Poll.UntilAsync(async () => (info = await RunAsync("info")).ExitCode == 0, Patience, () => $"{info}");
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketFile), cancellationToken);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>A daemon that is not given the time to clean up leaves mounts behind, and folders with mounts can not be deleted.</summary>
    private async Task UnmountAsync()
    {
        var mounts = (await File.ReadAllLinesAsync("/proc/self/mounts")).Select(line => line.Split(' ')[1]);
        foreach (var mount in mounts.Where(mount => mount.StartsWith($"{_folder.Path}/", StringComparison.Ordinal)).Reverse())
        {
            (await Command.RunAsync("umount", ["--lazy", mount])).Succeeded();
        }
    }

    [GeneratedRegex(@"^Digest: (?<digest>\S+)$", RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.NonBacktracking)]
    private static partial Regex PulledDigest();
}
