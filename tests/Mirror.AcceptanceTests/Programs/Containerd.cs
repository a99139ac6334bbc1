using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// A containerd of its own, beside the machine's if there is one: nothing in it, the hosts.toml that docs/clients.md gives it, and no other
/// way out than to that mirror.
/// </summary>
internal sealed class Containerd : IAsyncDisposable
{
    private const string PrintedHostsFolder = "/etc/containerd/certs.d";

    // The other ways to unpack do not work in every container.
    private static readonly string[] Unpacking = ["--snapshotter", "native"];

    private readonly TemporaryDirectory _folder = new();
    private ChildProcess? _process;

    private string Socket => _folder.Combine("containerd.sock");

    private string HostsFolder => _folder.Combine("certs.d");

    /// <param name="mirror"><c>host:port</c>.</param>
    /// <param name="registry">The registry whose setting is taken from the page, or <c>_default</c> for all of them.</param>
    public static async Task<Containerd> StartAsync(string mirror, string registry = "_default")
    {
        var setting = ClientsPage.Setting("containerd", $"/etc/containerd/certs.d/{registry}/hosts.toml", mirror);
        return await StartAsync(new Containerd(), registry, setting);
    }

    /// <summary>The same for a mirror that speaks TLS, where people log in.</summary>
    public static async Task<Containerd> StartLoggingInAsync(MirrorProcess mirror, TlsFiles tls)
    {
        var containerd = new Containerd();
        var setting = ClientsPage.LoginSetting($"{PrintedHostsFolder}/mirror.example.com/hosts.toml", mirror.Host);
        tls.WriteAuthority(Directory.CreateDirectory(Path.Combine(containerd.HostsFolder, mirror.Host)).FullName);
        setting = setting.Replace(PrintedHostsFolder, containerd.HostsFolder, StringComparison.Ordinal);
        return await StartAsync(containerd, mirror.Host, setting);
    }

    /// <summary>Runs a command of <c>ctr</c> as it is typed.</summary>
    /// <param name="line">The command: no word of it has spaces.</param>
    public Task<Command> RunAsync(string line)
    {
        var words = line.Replace(PrintedHostsFolder, HostsFolder, StringComparison.Ordinal).Split(' ');
        Assert.Equal("ctr", words[0]);
        string[] unpacking = words[2] == "pull" ? Unpacking : [];
        return CtrAsync([.. words[1..3], .. unpacking, .. words[3..]]);
    }

    /// <summary>Pulls and unpacks.</summary>
    public async Task<Digest> PullAsync(string name)
    {
        (await CtrAsync(["images", "pull", "--hosts-dir", HostsFolder, .. Unpacking, name])).Succeeded();
        // A heading, then: name, media type, digest, and more.
        var listing = (await CtrAsync("images", "ls", $"name=={name}")).Succeeded().Output.Split('\n');
        return Digest.Parse(listing[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[2]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            process.Terminate();
            await process.ExitedAsync();
            await process.DisposeAsync();
        }

        _folder.Dispose();
    }

    private static async Task<Containerd> StartAsync(Containerd containerd, string registry, string setting)
    {
        try
        {
            await containerd.StartProcessAsync(registry, setting);
            return containerd;
        }
        catch
        {
            await containerd.DisposeAsync();
            throw;
        }
    }

    private async Task StartProcessAsync(string registry, string setting)
    {
        Directory.CreateDirectory(Path.Combine(HostsFolder, registry));
        await File.WriteAllTextAsync(Path.Combine(HostsFolder, registry, "hosts.toml"), setting);
        await File.WriteAllTextAsync(_folder.Combine("config.toml"), $"""
            version = 2
            root = "{_folder.Combine("root")}"
            state = "{_folder.Combine("state")}"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
            address = "{Socket}"
            """);
        _process = ChildProcess.Start("containerd", ["--config", _folder.Combine("config.toml")], NoWayOut.Environment);
        await _process.LineWithAsync("containerd successfully booted");
    }

    /// <summary>It is this program that asks registries; the daemon stores and unpacks.</summary>
    private Task<Command> CtrAsync(params IReadOnlyList<string> arguments) =>
        Command.RunAsync("ctr", ["--address", Socket, .. arguments], NoWayOut.Environment);
}
