using System.Net;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>
/// Clients log in as docs/clients.md says, at a mirror that speaks TLS: there alice may push, other users may pull, and everybody else may
/// pull or nothing.
/// </summary>
[Collection(Clients.Name)]
public sealed class LoginTests : IDisposable
{
    private const string Repository = "team/app";
    private const string Writer = "alice";
    private const string Reader = "bob";
    private const string WrongPassword = "wrong-password";

    private readonly TemporaryDirectory _folder = new();
    private readonly TestUsers _users = new(Writer, Reader);

    private readonly BuiltImage _image = BuiltImage.Of(
        new Platform("linux", DebianImage.Architecture), ["/nothing"], ImageLayer.OfFile("file", TestBlob.Bytes(300_000, seed: 9)));

    public void Dispose()
    {
        _users.Dispose();
        _folder.Dispose();
    }

    [FactWith("dockerd", "docker", "unshare", AsRoot = true, OnNetwork = true)]
    public Task Docker_logs_in_where_everybody_may_pull() => DockerLogsInAsync(everybodyPulls: true);

    [FactWith("dockerd", "docker", "unshare", AsRoot = true, OnNetwork = true)]
    public Task Docker_logs_in_where_only_users_may_pull() => DockerLogsInAsync(everybodyPulls: false);

    [FactWith("podman", "runc", AsRoot = true)]
    public Task Podman_logs_in_where_everybody_may_pull() => ToolLogsInAsync("podman", everybodyPulls: true);

    [FactWith("podman", "runc", AsRoot = true)]
    public Task Podman_logs_in_where_only_users_may_pull() => ToolLogsInAsync("podman", everybodyPulls: false);

    [FactWith("buildah", "skopeo", AsRoot = true)]
    public Task Buildah_logs_in_where_everybody_may_pull() => ToolLogsInAsync("buildah", everybodyPulls: true);

    [FactWith("buildah", "skopeo", AsRoot = true)]
    public Task Buildah_logs_in_where_only_users_may_pull() => ToolLogsInAsync("buildah", everybodyPulls: false);

    [FactWith("skopeo")]
    public Task Skopeo_logs_in_where_everybody_may_pull() => ToolLogsInAsync("skopeo", everybodyPulls: true);

    [FactWith("skopeo")]
    public Task Skopeo_logs_in_where_only_users_may_pull() => ToolLogsInAsync("skopeo", everybodyPulls: false);

    [FactWith("ctr", "containerd", AsRoot = true)]
    public Task Containerd_shows_a_password_where_everybody_may_pull() => ContainerdShowsPasswordsAsync(everybodyPulls: true);

    [FactWith("ctr", "containerd", AsRoot = true)]
    public Task Containerd_shows_a_password_where_only_users_may_pull() => ContainerdShowsPasswordsAsync(everybodyPulls: false);

    [FactWith("dockerd", "docker", "unshare", AsRoot = true, OnNetwork = true)]
    public async Task Docker_shows_a_certificate_that_names_its_user()
    {
        var address = OwnAddress.Find()!;
        using var tls = new TlsFiles(NoWayOut.Domain);
        await using var mirror = await MirrorProcess.StartSecureAsync(tls, address, Access(everybodyPulls: false));
        await using var docker = await DockerDaemon.StartBesideAsync(mirror: null, tls.Name, address);
        await ImportAsync(docker);
        var name = $"{mirror.Host}/{Repository}:1.0";
        (await docker.RunAsync("tag", "app:1.0", name)).Succeeded();
        var certificates = docker.CertificatesOf(mirror.Host);
        tls.WriteAuthority(certificates);

        AssertRefused(await docker.RunAsync("push", name));
        tls.WriteClient(certificates, Reader);
        AssertRefused(await docker.RunAsync("push", name));
        tls.WriteClient(certificates, Writer);
        (await docker.RunAsync("push", name)).Succeeded();

        Assert.Contains(Repository, (await docker.RunAsync("search", $"{mirror.Host}/app")).Succeeded().Output, StringComparison.Ordinal);
        (await docker.RunAsync("rmi", "app:1.0", name)).Succeeded();
        (await docker.RunAsync("pull", name)).Succeeded();
        await mirror.PrintsAsync($"{Writer} from {address} pushed {Repository} 1.0");
    }

    [FactWith("skopeo")]
    public async Task Skopeo_shows_a_certificate_that_names_its_user()
    {
        using var tls = new TlsFiles("localhost");
        await using var mirror = await MirrorProcess.StartSecureAsync(tls, IPAddress.Loopback, Access(everybodyPulls: false));
        using var tools = await ContainerTools.SetUpAsync(mirror.Host);
        using var layout = new ImageLayout();
        await layout.WriteAsync(_image.Manifest, [.. _image.Blobs]);
        var name = $"docker://{mirror.Host}/{Repository}:1.0";
        var certificates = _folder.Combine("certificates");
        Directory.CreateDirectory(certificates);
        tls.WriteAuthority(certificates);

        AssertRefused(await PushAsync());
        tls.WriteClient(certificates, Reader);
        AssertRefused(await PushAsync());
        tls.WriteClient(certificates, Writer);
        (await PushAsync()).Succeeded();

        (await tools.SkopeoAsync("copy", "--src-cert-dir", certificates, name, $"dir:{_folder.Combine("copy")}")).Succeeded();
        Assert.Equal(_image.Digest, Digest.Sha256(await File.ReadAllBytesAsync(_folder.Combine("copy", "manifest.json"))));
        await mirror.PrintsAsync($"{Writer} from {IPAddress.Loopback} pushed {Repository} 1.0");

        Task<Command> PushAsync() => tools.SkopeoAsync("copy", "--dest-cert-dir", certificates, layout.Source, name);
    }

    private async Task DockerLogsInAsync(bool everybodyPulls)
    {
        var address = OwnAddress.Find()!;
        using var tls = new TlsFiles(NoWayOut.Domain);
        await using var mirror = await MirrorProcess.StartSecureAsync(tls, address, Access(everybodyPulls));
        await using var docker = await DockerDaemon.StartBesideAsync(mirror: null, tls.Name, address);
        await ImportAsync(docker);
        var commands = ClientsPage.LoginCommands("Docker", mirror.Host);
        var (login, tag, push, search, pull, logout) = commands is [var a, var b, var c, var d, var e, var f] ? (a, b, c, d, e, f) : default;
        (await RunAsync(tag)).Succeeded();

        AssertRefused(await LoginAsync(Writer, TestUsers.PasswordOf(Writer)), "certificate signed by unknown authority");
        tls.WriteAuthority(docker.CertificatesOf(mirror.Host));
        await AssertLockedAsync(mirror, everybodyPulls, new Steps(
            LoginAsync,
            () => RunAsync(push),
            () => RunAsync(search),
            async () =>
            {
                // What is here is not fetched.
                await docker.RunAsync("rmi", "app:1.0", $"{mirror.Host}/{Repository}:1.0");
                return await RunAsync(pull);
            },
            () => RunAsync(logout),
            () => docker.ClientSettings));

        Task<Command> RunAsync(string line, params IEnumerable<string> options)
        {
            var words = line.Split(' ');
            Assert.Equal("docker", words[0]);
            return docker.RunAsync([words[1], .. options, .. words[2..]]);
        }

        async Task<Command> LoginAsync(string user, string password)
        {
            var command = await RunAsync(As(user, login), "--password", password);
            // Docker keeps a token in the place of the password.
            Assert.Equal(command.ExitCode == 0, docker.ClientSettings.Contains("identitytoken", StringComparison.Ordinal));
            return command;
        }
    }

    private async Task ToolLogsInAsync(string tool, bool everybodyPulls)
    {
        using var tls = new TlsFiles("localhost");
        await using var mirror = await MirrorProcess.StartSecureAsync(tls, IPAddress.Loopback, Access(everybodyPulls));
        using var tools = await ContainerTools.SetUpAsync(mirror.Host);
        using var layout = new ImageLayout();
        await layout.WriteAsync(_image.Manifest, [.. _image.Blobs]);
        if (tool != "skopeo")
        {
            await File.WriteAllBytesAsync(_folder.Combine("file"), TestBlob.Bytes(300_000, seed: 8));
            await File.WriteAllTextAsync(_folder.Combine("Containerfile"), "FROM scratch\nCOPY file /\n");
            (await tools.RunAsync($"{tool} build --tag app:1.0 {_folder.Path}")).Succeeded();
        }

        // buildah has no search; skopeo shows what there is.
        var (login, push, search, pull, logout) = ClientsPage.LoginCommands(tool, mirror.Host)
            .Select(line => line.Replace("oci:app:1.0", layout.Source, StringComparison.Ordinal)
                .Replace("oci:copy:1.0", $"oci:{_folder.Combine("copy")}:1.0", StringComparison.Ordinal)).ToList() switch
        {
            [var a, var b, var c, var d, var e] => (a, b, c, d, e),
            [var a, var b, var d, var e] => (a, b, $"skopeo list-tags docker://{mirror.Host}/{Repository}", d, e),
            _ => default,
        };

        AssertRefused(await LoginAsync(Writer, TestUsers.PasswordOf(Writer)), "certificate signed by unknown authority");
        tls.WriteAuthority(tools.CertificatesOf(mirror.Host));
        await AssertLockedAsync(mirror, everybodyPulls, new Steps(
            LoginAsync,
            () => tools.RunAsync(push!),
            () => tools.RunAsync(search!),
            () => tools.RunAsync(pull!),
            () => tools.RunAsync(logout!),
            () => File.ReadAllText(tools.AuthFile)));

        Task<Command> LoginAsync(string user, string password) => tools.RunAsync(As(user, login!), "--password", password);
    }

    /// <summary>It keeps no login, so each command shows a password, or none.</summary>
    private async Task ContainerdShowsPasswordsAsync(bool everybodyPulls)
    {
        using var tls = new TlsFiles("localhost");
        await using var mirror = await MirrorProcess.StartSecureAsync(tls, IPAddress.Loopback, Access(everybodyPulls));
        await using var containerd = await Containerd.StartLoggingInAsync(mirror, tls);
        using var layout = new ImageLayout();
        await layout.WriteAsync(_image.Manifest, [.. _image.Blobs]);
        await layout.WriteArchiveAsync(_folder.Combine("image.tar"));
        var name = $"{mirror.Host}/{Repository}:1.0";
        (await containerd.RunAsync($"ctr images import --index-name {name} {_folder.Combine("image.tar")}")).Succeeded();
        var (push, pull) = ClientsPage.LoginCommands("containerd", mirror.Host) is [var a, var b] ? (a, b) : default;

        AssertRefused(await containerd.RunAsync(Without(push)));
        AssertRefused(await containerd.RunAsync(With(Writer, WrongPassword, push)));
        AssertRefused(await containerd.RunAsync(With(Reader, TestUsers.PasswordOf(Reader), push)));
        (await containerd.RunAsync(With(Writer, TestUsers.PasswordOf(Writer), push))).Succeeded();
        (await containerd.RunAsync($"ctr images rm --sync {name}")).Succeeded();

        (await containerd.RunAsync(With(Reader, TestUsers.PasswordOf(Reader), pull))).Succeeded();
        (await containerd.RunAsync($"ctr images rm --sync {name}")).Succeeded();
        var anonymous = await containerd.RunAsync(Without(pull));
        if (everybodyPulls)
        {
            anonymous.Succeeded();
        }
        else
        {
            AssertRefused(anonymous);
            AssertRefused(await containerd.RunAsync(With(Reader, WrongPassword, pull)));
        }

        static string Without(string line) => line.Replace($" --user {Writer}", "", StringComparison.Ordinal);

        static string With(string user, string password, string line) =>
            line.Replace($" --user {Writer}", $" --user {user}:{password}", StringComparison.Ordinal);
    }

    /// <summary>Makes the image that the page pushes.</summary>
    private async Task ImportAsync(DockerDaemon docker)
    {
        var archive = _folder.Combine("layer.tar.gz");
        await File.WriteAllBytesAsync(archive, _image.Layers[0].Blob.Content);
        (await docker.RunAsync("import", archive, "app:1.0")).Succeeded();
    }

    private static async Task AssertLockedAsync(MirrorProcess mirror, bool everybodyPulls, Steps steps)
    {
        AssertRefused(await steps.Push());
        AssertRefused(await steps.Login(Writer, WrongPassword));
        Assert.DoesNotContain(mirror.Host, steps.Kept(), StringComparison.Ordinal);
        (await steps.Login(Reader, TestUsers.PasswordOf(Reader))).Succeeded();
        AssertRefused(await steps.Push());
        (await steps.Login(Writer, TestUsers.PasswordOf(Writer))).Succeeded();
        (await steps.Push()).Succeeded();

        // What is kept of a login counts as long as the password does, whatever becomes of the process.
        Assert.Contains(mirror.Host, steps.Kept(), StringComparison.Ordinal);
        await mirror.KillAsync();
        await mirror.StartAsync();
        Assert.Contains(Repository, (await steps.Search()).Succeeded().Output, StringComparison.Ordinal);
        (await steps.Pull()).Succeeded();
        (await steps.Push()).Succeeded();
        (await steps.Login(Reader, TestUsers.PasswordOf(Reader))).Succeeded();
        (await steps.Pull()).Succeeded();

        (await steps.Logout()).Succeeded();
        Assert.DoesNotContain(mirror.Host, steps.Kept(), StringComparison.Ordinal);
        AssertRefused(await steps.Push());
        var search = await steps.Search();
        Assert.True(everybodyPulls == search.Output.Contains(Repository, StringComparison.Ordinal), $"{search}");
        var pull = await steps.Pull();
        if (everybodyPulls)
        {
            pull.Succeeded();
        }
        else
        {
            AssertRefused(pull);
        }
    }

    private static void AssertRefused(Command command, string? why = null)
    {
        Assert.True(command.ExitCode != 0, $"{command}");
        string[] reasons = why is null ? ["unauthorized", "denied", "log in", "invalid username/password", "403 Forbidden"] : [why];
        Assert.True(reasons.Any(reason => command.Error.Contains(reason, StringComparison.OrdinalIgnoreCase)), $"{command}");
    }

    /// <summary>A login that is printed for the writer, for whomever.</summary>
    private static string As(string user, string login) => login.Replace($" {Writer} ", $" {user} ", StringComparison.Ordinal);

    private string Access(bool everybodyPulls) => $$"""
        anonymous: [{{(everybodyPulls ? "pull" : "")}}], users: {{_users.Path}}, rules: [
          { repositories: ["team/**"], users: [{{Writer}}], allow: [pull, push, delete] },
          { repositories: ["**"], users: ["*"], allow: [pull] } ]
        """;

    /// <summary>What a client is told to do; each says what came of it.</summary>
    /// <param name="Login">With a name and a password.</param>
    /// <param name="Push">Of the one image, to the one repository.</param>
    /// <param name="Search">Or list: what names the repository if it may be seen.</param>
    /// <param name="Pull">Of what was pushed.</param>
    /// <param name="Logout">So that nothing is left of the login.</param>
    /// <param name="Kept">What the client keeps on its disk of logins.</param>
    private sealed record Steps(
        Func<string, string, Task<Command>> Login,
        Func<Task<Command>> Push,
        Func<Task<Command>> Search,
        Func<Task<Command>> Pull,
        Func<Task<Command>> Logout,
        Func<string> Kept);
}
