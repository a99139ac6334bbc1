using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class RateLimitTests
{
    [Fact]
    public async Task A_quota_is_read_from_HEAD_and_GET_and_kept()
    {
        await using var scene = await RemoteScene.StartAsync();
        Assert.Null(scene.Client.RateLimit);
        Say(scene, HttpMethod.Head, "100;w=21600", "76;w=21600");
        Say(scene, HttpMethod.Get, "100;w=21600", "75;w=21600");

        await scene.Client.ResolveAsync(RemoteScene.Repository, RemoteScene.Tag, null, RemotePatience.Retry, CancellationToken.None);
        Assert.Equal(new RateLimit(100, 76, TimeSpan.FromHours(6), scene.Time.GetUtcNow()), scene.Client.RateLimit);

        scene.Time.Advance(TimeSpan.FromMinutes(1));
        await scene.GetManifestAsync();
        await scene.GetManifestAsync();
        Assert.Equal((75, scene.Time.GetUtcNow()), (scene.Client.RateLimit!.Remaining, scene.Client.RateLimit.SeenAt));
    }

    [Fact]
    public async Task A_refusal_says_that_nothing_is_left()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(429, null, ("RateLimit-Limit", "100"), ("RateLimit-Remaining", "0")));

        RemoteScene.FailureOf(await scene.GetManifestAsync());

        Assert.Equal((0, (TimeSpan?)null), (scene.Client.RateLimit!.Remaining, scene.Client.RateLimit.Window));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("100;w=21600", "many")]
    [InlineData("-1", "99999999999999999999999999")]
    [InlineData(";w=1", "5;w=-1")]
    public async Task What_is_no_quota_is_not_taken_for_one(string limit, string remaining)
    {
        await using var scene = await RemoteScene.StartAsync();
        Say(scene, HttpMethod.Get, limit, remaining);

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.Null(scene.Client.RateLimit);
    }

    private static void Say(RemoteScene scene, HttpMethod method, string limit, string remaining) =>
        scene.Registry.On(request => request.Method == method).Times(1).Do(
            Behaviour.Header("ratelimit-limit", limit), Behaviour.Header("ratelimit-remaining", remaining));
}
