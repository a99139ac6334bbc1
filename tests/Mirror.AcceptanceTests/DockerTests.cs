using System.Net;
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

    [FactWith("dockerd", "docker", "docker-registry", "skopeo", "unshare", AsRoot = true)]
    public async Task What_Docker_has_for_Docker_Hub_is_not_shown_to_the_mirrors_host_for_it_while_the_root_takes_its_users_push()
    {
        const string HubUser = "hub-user";
        const string HubPassword = "hub-password";
        const string HubHost = $"hub.{NoWayOut.Domain}";
        var hubLogin = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{HubUser}:{HubPassword}"));
        using var users = new TestUsers("alice");
        await using var upstream = await DistributionRegistry.StartAsync();
        await image.PushAsync(upstream);
        await using var mirror = await MirrorProcess.StartGuardedAsync(upstream.Url, HubHost, $"anonymous: [pull], users: {users.Path}");
        await using var relay = new Relay(mirror.Url);
        await using var docker = await DockerDaemon.StartBesideAsync($"{HubHost}:{relay.Port}", HubHost, IPAddress.Loopback);
        docker.ClientSettings = $$$"""{ "auths": { "https://index.docker.io/v1/": { "auth": "{{{hubLogin}}}" } } }""";

        Assert.Equal(image.Index, await docker.PullAsync(DebianImage.ShortName));
        (await docker.RunAsync("login", "--username", "alice", "--password", TestUsers.PasswordOf("alice"), relay.Host)).Succeeded();
        (await docker.RunAsync("tag", DebianImage.ShortName, $"{relay.Host}/app:1.0")).Succeeded();
        (await docker.RunAsync("push", $"{relay.Host}/app:1.0")).Succeeded();

        var requests = relay.Requests.ToLookup(request => request.Header("Host")!.StartsWith(HubHost, StringComparison.Ordinal));
        Assert.Contains(requests[true], request => request.Target.Contains("/manifests/", StringComparison.Ordinal));
        Assert.Contains(requests[true], request => request.Target.Contains("/blobs/", StringComparison.Ordinal));
        Assert.All(requests[true], request => Assert.Null(request.Header("Authorization")));
        Assert.Contains(requests[false], request => request.Header("Authorization") is not null);
        Assert.All(relay.Requests, AssertWithoutHubs);

        // Where not everybody may pull, clients have to be asked who they are, and for its registry and all mirrors of that Docker has but one
        // answer: what was looked for would have been seen.
        await mirror.RestartWithAccessAsync($"anonymous: [], users: {users.Path}");
        Assert.NotEqual(0, (await docker.RunAsync("pull", DebianImage.ShortName)).ExitCode);
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Assert.All(relay.Requests, AssertWithoutHubs));

        void AssertWithoutHubs(RelayedRequest request)
        {
            foreach (var secret in (string[])[HubUser, HubPassword, hubLogin])
            {
                Assert.DoesNotContain(secret, request.Head, StringComparison.Ordinal);
            }
        }
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
