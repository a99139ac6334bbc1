using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Mirror.Observability;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>An upstream that gave a tag and now refuses it: the tag goes on being served, and somebody is told.</summary>
public sealed class RefusalTests
{
    private static readonly TimeSpan Freshness = TimeSpan.FromMinutes(5);

    [Theory]
    [InlineData("GET", 401)]
    [InlineData("GET", 403)]
    [InlineData("HEAD", 403)]
    public async Task A_refused_tag_that_is_cached_is_an_alarm_once_an_hour_that_says_what_to_do(string method, int status)
    {
        await using var scene = await WarmAsync();
        scene.Upstream.On(_ => true).Do(Behaviour.Status(status));

        for (var minutes = 0; minutes < 60; minutes += 5)
        {
            using var answer = await scene.Mirror.SendAsync(new HttpMethod(method), scene.TagPath);
            Assert.Equal(200, (int)answer.StatusCode);
            scene.Mirror.Time.Advance(Freshness);
        }

        var alarm = Assert.Single(Alarms(scene));
        Assert.Contains("docker.io/library/alpine ", alarm, StringComparison.Ordinal);
        Assert.Contains("Are the credentials of docker.io still right", alarm, StringComparison.Ordinal);
        Assert.Contains($"docker.io answered {status}", alarm, StringComparison.Ordinal);
        await scene.GetRawAsync(scene.TagPath);
        Assert.Equal(2, Alarms(scene).Count);
    }

    [Fact]
    public async Task A_refusal_that_comes_after_the_client_has_been_answered_is_an_alarm_too()
    {
        await using var scene = await WarmAsync();
        var gate = new Gate();
        scene.Upstream.On(_ => true).Do(Behaviour.Stall(gate), Behaviour.Status(403));
        var waiting = scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(2));
        var asking = scene.GetRawAsync(scene.TagPath);
        await waiting;
        await gate.Arrived();
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(200, (await asking).Status);

        var late = scene.GetRawAsync(scene.TagPath);
        gate.Open();
        Assert.Equal(200, (await late).Status);
        Assert.Single(Alarms(scene));
    }

    [Fact]
    public async Task Neither_an_outage_nor_the_refusal_of_what_was_never_here_is_an_alarm()
    {
        await using var scene = await WarmAsync();
        scene.Upstream.On(request => request.AsksFor(Scene.Repository, "never")).Do(Behaviour.Status(403));
        Assert.Equal(403, (await scene.GetRawAsync(Scene.ManifestPath("never"))).Status);
        await scene.Upstream.StopAsync();
        Assert.Equal(200, (await scene.GetRawAsync(scene.TagPath)).Status);

        Assert.Empty(Alarms(scene));
    }

    [Fact]
    public async Task Every_refusal_of_a_cached_tag_is_counted()
    {
        var counted = new ConcurrentDictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == MirrorMetrics.MeterName && instrument.Name == "mirror.upstream.refused")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) => counted.AddOrUpdate((string)tags[0].Value!, value, (_, before) => before + value));
        listener.Start();
        await using var scene = await Scene.StartAsync();
        // Other tests count in the same process: a registry's name of our own tells ours apart.
        await using var mirror = await MirrorHost.StartAsync([MirrorHost.Registry("refusing.example", scene.Upstream)]);
        var path = $"/v2/refusing.example/{Scene.Repository}/manifests/{Scene.Tag}";
        await RawHttp.GetAsync(mirror.Url, path);
        mirror.Time.Advance(Freshness);
        scene.Upstream.On(_ => true).Do(Behaviour.Status(403));

        await RawHttp.GetAsync(mirror.Url, path);
        await RawHttp.GetAsync(mirror.Url, path);

        Assert.Equal(2, counted["refusing.example"]);
    }

    private static List<string> Alarms(Scene scene) =>
        [.. scene.Mirror.Log.Lines.Where(line => line.StartsWith("Error", StringComparison.Ordinal))];

    /// <summary>A scene whose tag is cached, and no longer fresh.</summary>
    private static async Task<Scene> WarmAsync()
    {
        var scene = await Scene.StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Mirror.Time.Advance(Freshness);
        return scene;
    }
}
