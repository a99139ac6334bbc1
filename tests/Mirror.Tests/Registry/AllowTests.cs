using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

public sealed class AllowTests
{
    private static readonly RepositoryName Other = RepositoryName.Parse("team/app");
    private static readonly TestImage Image = TestImage.Create(layers: 1, layerSize: 1000, seed: 81);

    [Fact]
    public async Task A_repository_that_is_not_allowed_is_unknown_says_why_and_upstream_is_not_asked()
    {
        await using var upstream = await StartUpstreamAsync();
        await using var mirror = await MirrorHost.StartAsync([Allowing(upstream, "library/**")]);
        string[] paths = ["manifests/1", $"manifests/{Image.Digest}", $"blobs/{Image.Layer.Digest}", "tags/list", $"referrers/{Image.Digest}"];

        foreach (var path in paths)
        {
            var answer = await RawHttp.GetAsync(mirror.Url, $"/v2/{Other}/{path}");
            using var head = await mirror.HeadAsync($"/v2/{Other}/{path}");

            Assert.Equal((404, 404), (answer.Status, (int)head.StatusCode));
            Assert.Contains("NAME_UNKNOWN", answer.Text, StringComparison.Ordinal);
            Assert.Contains("through this mirror does not include team/app", answer.Text, StringComparison.Ordinal);
        }

        Assert.Empty(upstream.Requests);
    }

    [Theory]
    [InlineData("/v2/alpine/manifests/1")]
    [InlineData("/v2/library/alpine/manifests/1")]
    [InlineData("/v2/docker.io/alpine/manifests/1")]
    public async Task An_official_image_of_Docker_Hub_is_allowed_under_the_name_that_it_has_there(string path)
    {
        await using var upstream = await StartUpstreamAsync();
        await using var mirror = await MirrorHost.StartAsync([Allowing(upstream, "library/**")]);

        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, path)).Status);
    }

    [Fact]
    public async Task What_is_here_and_is_no_longer_allowed_is_not_shown()
    {
        await using var upstream = await StartUpstreamAsync();
        await using var mirror = await MirrorHost.StartAsync([Allowing(upstream, "library/*", "team/*")]);
        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Other}/manifests/1")).Status);
        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Scene.Repository}/manifests/1")).Status);

        await mirror.RestartAsync([Allowing(upstream, "library/*")]);

        Assert.Equal(404, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Other}/manifests/{Image.Digest}")).Status);
        Assert.Equal("""{"repositories":["docker.io/library/alpine"]}""", (await RawHttp.GetAsync(mirror.Url, "/v2/_catalog")).Text);
    }

    [Fact]
    public async Task Whom_a_rule_names_gets_no_more_than_what_is_allowed()
    {
        await using var upstream = await StartUpstreamAsync();
        using var users = new TestUsers("alice");
        await using var mirror = await MirrorHost.StartAsync(
            [Allowing(upstream, "library/**") with { Username = "mirror", Password = new Secret("secret") }], users.Naming("alice"));
        var alice = TestUsers.HeaderOf("alice");

        Assert.Equal(404, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Other}/manifests/1", alice)).Status);
        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Scene.Repository}/manifests/1", alice)).Status);
    }

    private static async Task<FakeRegistry> StartUpstreamAsync()
    {
        var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Scene.Repository, Image, "1");
        upstream.Add(Other, Image, "1");
        return upstream;
    }

    private static RegistryOptions Allowing(FakeRegistry upstream, params IEnumerable<string> patterns) =>
        MirrorHost.Registry("docker.io", upstream) with { Default = true, Allow = [.. patterns.Select(RepositoryPattern.Parse)] };
}
