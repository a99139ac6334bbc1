using System.Security.Cryptography.X509Certificates;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Mirror in a container: the image that the Dockerfile makes, and what deploy/ has for it.</summary>
[Collection(Clients.Name)]
public sealed class ContainerTests
{
    private const string Mirror = "mirror";

    /// <summary>As deploy/compose.yaml runs it, but asked for its health more often, and in the machine's network.</summary>
    private static readonly string[] Confined =
    [
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--volume", "data:/var/lib/mirror", "--health-interval", "1s",
    ];

    [FactWith("dockerd", "docker", "debootstrap", "tar", AsRoot = true, IsLong = true)]
    public async Task The_image_of_the_Dockerfile_runs_as_nobody_on_a_read_only_file_system_and_keeps_in_its_volume_what_Docker_pushes()
    {
        var host = $"127.0.0.1:{FreePort.Find()}";
        await using var docker = await DockerDaemon.StartAsync(host);
        await BaseImages.ImportAsync(docker);
        await docker.BuildFolderAsync(
            ProjectFile.Locate(), Mirror, $"SDK_IMAGE={BaseImages.Sdk}", $"RUNTIME_IMAGE={BaseImages.Runtime}");

        // As the image has it, without any option: it listens on port 5000 of a network of its own.
        await RunAsync(docker, "none");
        await HealthyAsync(docker);
        await StoppedAsync(docker);

        string[] open = ["--env", $"MIRROR_SERVER__LISTEN={host}", "--env", "MIRROR_ACCESS__ANONYMOUS=pull,push"];
        await RunAsync(docker, "host", open);
        await HealthyAsync(docker);
        Assert.Equal("1654 1654 1654 1654", await UsersAsync(docker));
        var name = $"{host}/app:1.0";
        (await docker.RunAsync("tag", await SmallImageAsync(docker), name)).Succeeded();
        (await docker.RunAsync("push", name)).Succeeded();
        (await docker.RunAsync("rmi", name)).Succeeded();
        var pulled = await docker.PullAsync(name);
        await StoppedAsync(docker);

        (await docker.RunAsync("rmi", name)).Succeeded();
        await RunAsync(docker, "host", open);
        await HealthyAsync(docker);
        Assert.Equal(pulled, await docker.PullAsync(name));
        await StoppedAsync(docker);
    }

    [FactWith("docker-compose")]
    public async Task Docker_Compose_accepts_what_deploy_has_for_it() =>
        (await Command.RunAsync("docker-compose", ["--file", ProjectFile.Locate("deploy", "compose.yaml"), "config"])).Succeeded();

    [Fact]
    public async Task The_configuration_beside_the_compose_file_is_right_once_there_is_a_certificate()
    {
        using var folder = new TemporaryDirectory();
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("mirror.example.com");
        Directory.CreateDirectory(folder.Combine("certs"));
        await File.WriteAllTextAsync(folder.Combine("certs", "domain.crt"), certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(folder.Combine("certs", "domain.key"), certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.Copy(ProjectFile.Locate("deploy", "mirror.yml"), folder.Combine("mirror.yml"));

        (await MirrorProcess.RunAsync("config", "check", "-c", folder.Combine("mirror.yml"))).Succeeded();
    }

    private static async Task RunAsync(DockerDaemon docker, string network, params string[] options) =>
        (await docker.RunAsync(["run", "--detach", "--name", Mirror, "--network", network, .. Confined, .. options, Mirror])).Succeeded();

    private static async Task HealthyAsync(DockerDaemon docker)
    {
        var state = "";
        await Poll.UntilAsync(
            async () =>
            {
                state = await InspectAsync(docker, "{{json .State}}");
                return state.Contains("\"Status\":\"healthy\"", StringComparison.Ordinal);
            },
            TimeSpan.FromSeconds(60),
            () => $"it is not healthy: {state}");
    }

    /// <summary>SIGTERM, and SIGKILL ten seconds later: then the exit code would be another.</summary>
    private static async Task StoppedAsync(DockerDaemon docker)
    {
        (await docker.RunAsync("stop", Mirror)).Succeeded();
        Assert.Equal("0", await InspectAsync(docker, "{{.State.ExitCode}}"));
        (await docker.RunAsync("rm", Mirror)).Succeeded();
    }

    /// <summary>As whom its process runs: real, effective, saved and file system's.</summary>
    private static async Task<string> UsersAsync(DockerDaemon docker)
    {
        var process = await InspectAsync(docker, "{{.State.Pid}}");
        var line = (await File.ReadAllLinesAsync($"/proc/{process}/status")).Single(each => each.StartsWith("Uid:", StringComparison.Ordinal));
        return string.Join(' ', line.Split('\t').Skip(1));
    }

    private static async Task<string> InspectAsync(DockerDaemon docker, string format) =>
        (await docker.RunAsync("container", "inspect", "--format", format, Mirror)).Succeeded().Output.TrimEnd();

    /// <summary>An image with one file.</summary>
    private static async Task<string> SmallImageAsync(DockerDaemon docker)
    {
        using var folder = new TemporaryDirectory();
        await File.WriteAllBytesAsync(folder.Combine("file"), TestBlob.Bytes(1_000_000, seed: 6));
        (await Command.RunAsync("tar", ["-cf", folder.Combine("image.tar"), "-C", folder.Path, "file"])).Succeeded();
        return (await docker.RunAsync("import", folder.Combine("image.tar"))).Succeeded().Output.TrimEnd();
    }
}
