using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// A containerd of its own, beside the machine's if there is one: nothing in it, the hosts.toml that docs/clients.md gives it, and no other
/// way out than to that mirror.
/// </summary>
internal sealed class Containerd : IAsyncDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private ChildProcess? _process;

    private string Socket => _folder.Combine("containerd.sock");

    private string HostsFolder => _folder.Combine("certs.d");

    /// <param name="mirror"><c>host:port</c>.</param>
    /// <param name="registry">The registry whose setting is taken from the page, or <c>_default</c> for all of them.</param>
    public static async Task<Containerd> StartAsync(string mirror, string registry = "_default")
    {
        var containerd = new Containerd();
        try
        {
            await containerd.StartProcessAsync(mirror, registry);
            return containerd;
        }
        catch
        {
            await containerd.DisposeAsync();
            throw;
        }
    }

    /// <summary>Pulls and unpacks.</summary>
    public async Task<Digest> PullAsync(string name)
    {
        // Its other ways to unpack do not work in every container.
        (await CtrAsync("images", "pull", "--hosts-dir", HostsFolder, "--snapshotter", "native", name)).Succeeded();
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

    private async Task StartProcessAsync(string mirror, string registry)
    {
        var setting = ClientsPage.Setting("containerd", $"/etc/containerd/certs.d/{registry}/hosts.toml", mirror);
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
