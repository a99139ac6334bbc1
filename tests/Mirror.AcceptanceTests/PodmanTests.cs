using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;

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
        using var tools = await ContainerTools.SetUpAsync(mirror.Host);
        var name = $"docker.io/{DebianImage.Repository}:{DebianImage.Tag}";

        (await tools.PodmanAsync("pull", name)).Succeeded();
        // Root by itself would ask for larger limits than it may have here.
        string[] limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
        var run = await tools.PodmanAsync(["run", "--rm", "--network", "host", .. limits, name]);

        Assert.Equal($"{DebianImage.Says}\n", run.Succeeded().Output);
    }
}
