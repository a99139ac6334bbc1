using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Mirror.Observability;
using Mirror.Testing;

namespace Mirror.Tests.Observability;

public sealed class EventTests
{
    [Fact]
    public async Task A_download_is_one_event_and_a_request_is_one_at_debug()
    {
        await using var scene = await Scene.StartAsync();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => scene.GetExactlyAsync(scene.LayerPath, scene.Layer)));
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        await scene.Mirror.RestartAsync();

        Assert.Single(scene.Mirror.Log.Lines, line => line.StartsWith($"Information Downloaded {scene.Layer.Digest}", StringComparison.Ordinal));
        Assert.Equal(4, scene.Mirror.Log.Lines.Count(line => line.StartsWith($"Debug GET {scene.LayerPath} answered 200", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task An_upstream_failure_is_one_event_with_its_reason()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(_ => true).Do(Behaviour.Status(503, """{"errors":[{"code":"UNAVAILABLE","message":"down for\nmaintenance"}]}"""));

        await scene.GetRawAsync(scene.TagPath);

        var line = Assert.Single(scene.Mirror.Log.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal));
        Assert.Contains("docker.io gave no manifest of library/alpine (unavailable)", line, StringComparison.Ordinal);
        Assert.Contains("503 (UNAVAILABLE: down for maintenance)", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_clients_and_upstreams_cost_is_counted()
    {
        var counted = new ConcurrentDictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == MirrorMetrics.MeterName)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => counted.AddOrUpdate(
            instrument.Name + string.Concat(tags.ToArray().Select(tag => $" {tag.Key}={tag.Value}")), value, (_, before) => before + value));
        listener.Start();
        // Other tests count in the same process: a registry's name of our own tells ours apart.
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(request => request.AsksFor(Scene.Repository, Scene.Tag)).Do(
            Behaviour.Header("ratelimit-limit", "100;w=21600"), Behaviour.Header("ratelimit-remaining", "76;w=21600"));
        await using var mirror = await MirrorHost.StartAsync([MirrorHost.Registry("counted.example", scene.Upstream)]);

        for (var i = 0; i < 3; i++)
        {
            await RawHttp.GetAsync(mirror.Url, $"/v2/counted.example/{Scene.Repository}/manifests/{Scene.Tag}");
            await RawHttp.GetAsync(mirror.Url, $"/v2/counted.example/{Scene.Repository}/blobs/{scene.Layer.Digest}");
            await mirror.PublishedAsync(scene.Layer.Digest);
        }

        listener.RecordObservableInstruments();
        Assert.Equal(76, counted["mirror.upstream.ratelimit.remaining registry=counted.example"]);
        await mirror.RestartAsync();
        Assert.Equal(1, counted["mirror.upstream.requests registry=counted.example operation=manifest outcome=found"]);
        Assert.Equal(1, counted["mirror.upstream.requests registry=counted.example operation=blob outcome=found"]);
        Assert.Equal(1, counted["mirror.downloads registry=counted.example outcome=done"]);
        Assert.Equal(scene.Layer.Size, counted["mirror.downloads.size registry=counted.example"]);
        Assert.True(counted["mirror.cache.requests kind=tag outcome=hit"] >= 2);
        Assert.True(counted["mirror.served.size source=disk"] >= scene.Layer.Size);
    }
}
