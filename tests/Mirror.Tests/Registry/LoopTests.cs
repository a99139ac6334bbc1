using Mirror.Configuration;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>Mirrors that lead to themselves or to each other.</summary>
public sealed class LoopTests
{
    [Fact]
    public async Task Requests_to_upstreams_are_signed_with_the_same_name_until_the_next_start()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        var first = Assert.Single(scene.Upstream.Requests.Select(request => request.Header("Via")).Distinct());
        scene.Upstream.ClearRequests();
        await scene.Mirror.RestartAsync();
        await scene.GetRawAsync($"/v2/{Scene.Repository}/tags/list");
        var second = Assert.Single(scene.Upstream.Requests).Header("Via");

        Assert.Matches("^1\\.1 mirror-[0-9a-f]{16}$", first);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public async Task A_request_that_has_been_here_before_is_refused_and_goes_no_further()
    {
        await using var scene = await Scene.StartAsync();
        await scene.GetRawAsync(scene.TagPath);
        var own = scene.Upstream.Requests[0].Header("Via");
        scene.Upstream.ClearRequests();

        var answer = await scene.GetRawAsync(scene.LayerPath, "Via: 1.1 proxy.corp", $"Via: {own}, 2 other");

        Assert.Equal(508, answer.Status);
        Assert.Contains("leads back to this mirror", answer.Text, StringComparison.Ordinal);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task Other_mirrors_are_named_to_upstream_and_other_proxies_are_not()
    {
        await using var scene = await Scene.StartAsync();

        Assert.Equal(200, (await scene.GetRawAsync(scene.TagPath, "Via: 1.1 proxy.corp, 1.1 mirror-0123456789abcdef, 1.1 mirror-x\tx")).Status);

        Assert.Matches("^1\\.1 mirror-0123456789abcdef, 1\\.1 mirror-[0-9a-f]{16}$", scene.Upstream.Requests[0].Header("Via"));
    }

    [Fact]
    public async Task Two_mirrors_that_ask_each_other_say_so_at_once()
    {
        // The second learns the first one's address, which is not known before it runs.
        await using var stand = await FakeRegistry.StartAsync();
        await using var first = await MirrorHost.StartAsync(stand);
        await using var second = await MirrorHost.StartAsync([new RegistryOptions { Name = "docker.io", Url = first.Url, Default = true }]);

        foreach (var path in new[] { Scene.ManifestPath("1"), $"/v2/{Scene.Repository}/tags/list", Scene.BlobPath(Oci.Digest.Sha256("x"u8)) })
        {
            stand.Behave();
            stand.On(_ => true).Do(Behaviour.RedirectTo(new Uri(second.Url, path)));

            var answer = await RawHttp.GetAsync(first.Url, path);

            Assert.Equal(502, answer.Status);
            Assert.Contains("508", answer.Text, StringComparison.Ordinal);

            // The first has asked the second more than once, and would soon leave it alone.
            first.Time.Advance(TimeSpan.FromSeconds(11));
        }
    }
}
