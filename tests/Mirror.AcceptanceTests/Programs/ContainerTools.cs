using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// podman, buildah and skopeo on a machine where they have pulled nothing yet: with the registries.conf that docs/clients.md gives them,
/// and no other way out than to that mirror.
/// </summary>
internal sealed class ContainerTools : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    private ContainerTools()
    {
        Directory.CreateDirectory(Home);
        File.WriteAllText(AuthFile, "{}");
    }

    /// <summary>What they have kept of logins.</summary>
    public string AuthFile => _folder.Combine("auth.json");

    private string RegistriesConf => _folder.Combine("registries.conf");

    private string Home => _folder.Combine("home");

    private IReadOnlyList<(string Name, string Value)> Environment =>
        [.. NoWayOut.Environment, ("CONTAINERS_REGISTRIES_CONF", RegistriesConf), ("HOME", Home), ("REGISTRY_AUTH_FILE", AuthFile)];

    /// <param name="mirror"><c>host:port</c>.</param>
    /// <param name="section">The one of the page whose registries.conf they are given.</param>
    public static async Task<ContainerTools> SetUpAsync(string mirror, string section = "podman, buildah, skopeo")
    {
        var tools = new ContainerTools();
        var setting = ClientsPage.Setting(section, "/etc/containers/registries.conf", mirror);
        await File.WriteAllTextAsync(tools.RegistriesConf, setting);
        return tools;
    }

    /// <summary>What is theirs in the place of <c>~/.config/containers/certs.d</c>, for a registry.</summary>
    /// <param name="registry"><c>host:port</c>.</param>
    public string CertificatesOf(string registry) =>
        Directory.CreateDirectory(Path.Combine(Home, ".config", "containers", "certs.d", registry)).FullName;

    /// <summary>Runs a command as it is typed.</summary>
    /// <param name="line">The command: no word of it has spaces.</param>
    /// <param name="options">Beside those that are in it.</param>
    public Task<Command> RunAsync(string line, params IReadOnlyList<string> options) => line.Split(' ') switch
    {
        ["podman", var command, .. var rest] => PodmanAsync([command, .. options, .. rest]),
        ["buildah", var command, .. var rest] => BuildahAsync([command, .. options, .. rest]),
        ["skopeo", var command, .. var rest] => SkopeoAsync([command, .. options, .. rest]),
        _ => throw new ArgumentException($"'{line}' is none of these tools' commands", nameof(line)),
    };

    public Task<Command> PodmanAsync(params IReadOnlyList<string> arguments)
    {
        // What works on every machine, inside a container too.
        string[] plain = ["--cgroup-manager", "cgroupfs", "--runtime", "runc", "--events-backend", "none"];
        string[] folders = [.. Storage("podman"), "--tmpdir", _folder.Combine("tmp")];
        return Command.RunAsync("podman", [.. folders, .. plain, .. arguments], Environment);
    }

    public Task<Command> BuildahAsync(params IReadOnlyList<string> arguments) =>
        Command.RunAsync("buildah", [.. Storage("buildah"), .. arguments], Environment);

    public Task<Command> SkopeoAsync(params IReadOnlyList<string> arguments) =>
        Command.RunAsync("skopeo", ["--insecure-policy", "--registries-conf", RegistriesConf, .. arguments], Environment);

    public async Task<Digest> PodmanPullAsync(string name)
    {
        (await PodmanAsync("pull", name)).Succeeded();
        return Digest.Parse((await PodmanAsync("image", "inspect", "--format", "{{.Digest}}", name)).Succeeded().Output.Trim());
    }

    public async Task<Digest> BuildahPullAsync(string name)
    {
        (await BuildahAsync("pull", name)).Succeeded();
        var inspect = await BuildahAsync("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", name);
        return Digest.Parse(inspect.Succeeded().Output.Trim());
    }

    /// <summary>Copies an image into a folder, where its blobs are named by their digests.</summary>
    public async Task<Digest> SkopeoCopyAsync(string name, string folder)
    {
        (await SkopeoAsync("copy", $"docker://{name}", $"dir:{folder}")).Succeeded();
        return Digest.Sha256(await File.ReadAllBytesAsync(Path.Combine(folder, "manifest.json")));
    }

    /// <summary>A path in a folder of these tools' own.</summary>
    public string Combine(params ReadOnlySpan<string> parts) => _folder.Combine(parts);

    public void Dispose() => _folder.Dispose();

    private string[] Storage(string tool) =>
        ["--root", _folder.Combine(tool, "root"), "--runroot", _folder.Combine(tool, "run"), "--storage-driver", "vfs"];
}
