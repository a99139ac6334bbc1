using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;

namespace Mirror.AcceptanceTests;

/// <summary>A job keeps a mirror's own copies warm.</summary>
[Collection(Clients.Name)]
public sealed class SyncCacheTests(DebianImage image)
{
    [FactWith("docker-registry", "skopeo", "dpkg-query")]
    public async Task What_a_job_has_brought_into_the_cache_is_pulled_without_asking_upstream()
    {
        await using var upstream = await DistributionRegistry.StartAsync();
        await image.PushAsync(upstream);
        await using var mirror = await MirrorProcess.ConfigureAsync(
            $"docker.io: {{ url: {upstream.Url}, default: true }}",
            $"jobs: {{ warm: {{ from: docker.io, to: cache, repositories: [{DebianImage.Repository}] }} }}");
        await mirror.StartAsync();
        using var tools = await ContainerTools.SetUpAsync(mirror.Host);
        var name = $"docker.io/{DebianImage.Repository}:{DebianImage.Tag}";

        (await mirror.CommandAsync("sync", "run", "warm")).Succeeded();

        await upstream.RestartAsync();
        var asked = upstream.MirrorRequests.Count;
        Assert.NotEqual(0, asked);
        Assert.Equal(image.Here.Digest, await tools.SkopeoCopyAsync(name, tools.Combine("copy")));
        await upstream.StopAsync();
        Assert.Equal(asked, upstream.MirrorRequests.Count);
        (await tools.SkopeoAsync("copy", "--all", $"docker://{name}", $"oci:{tools.Combine("all")}:all")).Succeeded();
    }
}
