using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

[Collection(Clients.Name)]
public sealed class PodmanTests(DebianImage image)
{
    [FactWith("podman", "runc", "docker-registry", "skopeo", "dpkg-query", AsRoot = true)]
    public async Task Podman_runs_an_image_through_the_mirror_and_does_so_again_on_a_new_machine_when_upstream_is_down()
    {
        await using var upstream = await DistributionRegistry.StartAsync();
        await image.PushAsync(upstream);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);

        await PullsAndRunsAsync(mirror);
        await upstream.StopAsync();
        await mirror.HoldsAsync(DebianImage.Repository, image.BlobsHere);
        await PullsAndRunsAsync(mirror);
    }

    private static async Task PullsAndRunsAsync(MirrorProcess mirror)
    {
        using var folder = new TemporaryDirectory();
        var conf = await RegistriesConf.WriteAsync(folder, mirror);
        var name = $"docker.io/{DebianImage.Repository}:{DebianImage.Tag}";

        (await PodmanAsync(folder, conf, "pull", name)).Succeeded();
        // Root by itself would ask for larger limits than it may have here.
        string[] limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
        var run = await PodmanAsync(folder, conf, ["run", "--rm", "--network", "host", .. limits, name]);

        Assert.Equal($"{DebianImage.Says}\n", run.Succeeded().Output);
    }

    private static Task<Command> PodmanAsync(TemporaryDirectory folder, string conf, params IReadOnlyList<string> arguments)
    {
        string[] ownFolders = ["--root", folder.Combine("root"), "--runroot", folder.Combine("run"), "--tmpdir", folder.Combine("tmp")];
        // What works on every machine, inside a container too.
        string[] plain = ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc", "--events-backend", "none"];
        return Command.RunAsync(
            "podman", [.. ownFolders, .. plain, .. arguments], [.. NoWayOut.Environment, ("CONTAINERS_REGISTRIES_CONF", conf)]);
    }
}
