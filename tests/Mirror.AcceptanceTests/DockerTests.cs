using System.Text;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

[Collection(Clients.Name)]
public sealed class DockerTests(DebianImage image)
{
    [FactWith("dockerd", "docker", "docker-registry", "skopeo", "dpkg-query", AsRoot = true)]
    public async Task Docker_runs_an_image_through_the_mirror_and_does_so_again_on_a_new_machine_when_upstream_is_down()
    {
        await using var upstream = await DistributionRegistry.StartAsync();
        await RunsWithAndWithoutAsync(upstream);
    }

    [FactWith("dockerd", "docker", "docker-registry", "skopeo", "dpkg-query", "htpasswd", AsRoot = true)]
    public async Task Docker_needs_no_credentials_for_an_upstream_that_wants_some()
    {
        await using var upstream = await DistributionRegistry.StartAsync(new BasicCredentials("mirror", "a long and secret word"));
        await RunsWithAndWithoutAsync(upstream);
    }

    [FactWith("dockerd", "docker", "docker-registry", "skopeo", "dpkg-query", AsRoot = true)]
    public async Task BuildKit_in_the_Docker_daemon_builds_on_an_image_of_the_mirror()
    {
        await using var upstream = await DistributionRegistry.StartAsync();
        await image.PushAsync(upstream);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        await using var files = await FakeRegistry.StartAsync();
        var dockerfile = files.AddBlob(DebianImage.Repository, Encoding.UTF8.GetBytes($"FROM {DebianImage.ShortName}\nLABEL built=yes\n"));
        await using var docker = await DockerDaemon.StartAsync(mirror.Host);

        await docker.BuildAsync(files.BlobUrl(DebianImage.Repository, dockerfile), "built");

        var built = (await docker.RunAsync("image", "inspect", "built")).Succeeded();
        Assert.All(image.Here.Layers, layer => Assert.Contains($"{layer.DiffId}", built.Output, StringComparison.Ordinal));
    }

    private async Task RunsWithAndWithoutAsync(DistributionRegistry upstream)
    {
        await image.PushAsync(upstream);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url, upstream.Credentials);
        await using (var docker = await DockerDaemon.StartAsync(mirror.Host))
        {
            await PullsAndRunsAsync(docker);
        }

        await upstream.StopAsync();
        await mirror.HoldsAsync(DebianImage.Repository, image.BlobsHere);
        await using (var docker = await DockerDaemon.StartAsync(mirror.Host))
        {
            await PullsAndRunsAsync(docker);
        }
    }

    private async Task PullsAndRunsAsync(DockerDaemon docker)
    {
        Assert.Equal(image.Index, await docker.PullAsync(DebianImage.ShortName));
        var run = (await docker.RunAsync("run", "--rm", "--network", "host", DebianImage.ShortName)).Succeeded();
        Assert.Equal($"{DebianImage.Says}\n", run.Output);
    }
}
