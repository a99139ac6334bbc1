using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

public sealed class PullThroughTests
{
    private static readonly RepositoryName Repository = RepositoryName.Parse("team/app");
    private static readonly TestImage Image = TestImage.Create(layers: 1, layerSize: 1000, seed: 83);

    [Theory]
    [InlineData("/lab/v2/team/app/manifests/1")]
    [InlineData("/v2/lab/team/app/manifests/1")]
    [InlineData("/v2/team/app/manifests/1?ns=lab")]
    public async Task A_registry_that_is_only_for_jobs_is_reached_by_no_door_and_is_not_asked(string path)
    {
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, Image, "1");
        await using var mirror = await MirrorHost.StartAsync([Lab(upstream, pullThrough: false)]);

        Assert.Equal(404, (await RawHttp.GetAsync(mirror.Url, path)).Status);
        Assert.Empty(upstream.Requests);

        await mirror.RestartAsync([Lab(upstream, pullThrough: true)]);

        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, path)).Status);
    }

    [Fact]
    public async Task What_was_pulled_through_before_is_neither_served_nor_listed()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, Image, "1");
        await using var mirror = await MirrorHost.StartAsync([Lab(upstream, pullThrough: true)]);
        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/lab/{Repository}/manifests/1")).Status);

        await mirror.RestartAsync([Lab(upstream, pullThrough: false)]);

        Assert.Equal(404, (await RawHttp.GetAsync(mirror.Url, $"/v2/lab/{Repository}/manifests/{Image.Digest}")).Status);
        Assert.Equal("""{"repositories":[]}""", (await RawHttp.GetAsync(mirror.Url, "/v2/_catalog")).Text);
    }

    private static RegistryOptions Lab(FakeRegistry upstream, bool pullThrough) => new() { Name = "lab", Url = upstream.Url, PullThrough = pullThrough };
}
