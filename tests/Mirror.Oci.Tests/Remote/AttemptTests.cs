using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class AttemptTests
{
    public static TheoryData<string, Behaviour> PassingFailures => new()
    {
        { "500", Behaviour.Status(500) },
        { "503", Behaviour.Status(503) },
        { "hangs up", Behaviour.HangUp },
    };

    [Theory]
    [MemberData(nameof(PassingFailures))]
    public async Task A_failure_that_passes_is_not_noticed(string failure, Behaviour behaviour)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Times(2).Do(behaviour);

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.True(scene.Registry.Requests.Count == 3, failure);
    }

    [Fact]
    public async Task A_registry_to_which_no_connection_comes_about_can_not_be_reached()
    {
        await using var scene = await RemoteScene.StartAsync(options => options with { ConnectTimeout = TimeSpan.FromMilliseconds(50) });
        await scene.Registry.BlackHoleAsync();

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Equal(UnavailableReason.Unreachable, failure.Reason);
        Assert.Contains("no connection within", failure.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Between_attempts_there_is_a_wait()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Time.ShortWait = TimeSpan.Zero;
        scene.Registry.On(_ => true).Times(1).Do(Behaviour.Status(500));

        var asking = scene.GetManifestAsync();
        await scene.Time.TimerArmedWithin(TimeSpan.FromMilliseconds(800));
        Assert.Single(scene.Registry.Requests);
        scene.Time.Advance(TimeSpan.FromMilliseconds(800));

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await asking);
    }

    [Fact]
    public async Task Who_has_an_answer_at_hand_asks_once()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(500));

        RemoteScene.FailureOf(await scene.Client.ResolveAsync(
            RemoteScene.Repository, RemoteScene.Tag, scene.Image.Digest, RemotePatience.OneAttempt, CancellationToken.None));

        Assert.Single(scene.Registry.Requests);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(429)]
    [InlineData(501)]
    public async Task A_refusal_is_an_answer_however_often_it_comes(int status)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(status));

        for (var i = 0; i < 20; i++)
        {
            RemoteScene.FailureOf(await scene.GetManifestAsync());
        }

        Assert.Equal(20, scene.Registry.Requests.Count);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task A_registry_that_wants_to_be_left_alone_is_not_asked_for_anything_until_then(int status)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Times(1).Do(Behaviour.Status(status, headers: ("Retry-After", "17")));
        RemoteScene.FailureOf(await scene.GetManifestAsync());

        scene.Time.Advance(TimeSpan.FromSeconds(5));
        var throttled = RemoteScene.FailureOf(
            await scene.Client.HeadBlobAsync(RemoteScene.Repository, scene.Image.Layer.Digest, CancellationToken.None));

        Assert.Equal(TimeSpan.FromSeconds(12), Assert.IsType<RemoteFailure.Throttled>(throttled).RetryAfter);
        Assert.Single(scene.Registry.Requests);
        scene.Time.Advance(TimeSpan.FromSeconds(12));
        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    [Fact]
    public async Task A_registry_that_wants_to_be_left_alone_for_years_is_asked_again_in_an_hour()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Times(1).Do(Behaviour.Status(429, headers: ("Retry-After", "999999999")));
        RemoteScene.FailureOf(await scene.GetManifestAsync());

        scene.Time.Advance(TimeSpan.FromHours(1));

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    [Fact]
    public async Task A_registry_that_fails_again_and_again_is_left_alone_for_some_seconds_and_then_asked_once()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Times(7).Do(Behaviour.Status(500));
        RemoteScene.FailureOf(await scene.GetManifestAsync());
        RemoteScene.FailureOf(await scene.GetManifestAsync());

        var open = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));
        Assert.Equal((UnavailableReason.BreakerOpen, 6), (open.Reason, scene.Registry.Requests.Count));
        Assert.Contains("answered 500", open.Why, StringComparison.Ordinal);

        scene.Time.Advance(TimeSpan.FromSeconds(5));
        RemoteScene.FailureOf(await scene.GetManifestAsync());
        Assert.Equal(7, scene.Registry.Requests.Count);

        scene.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }
}
