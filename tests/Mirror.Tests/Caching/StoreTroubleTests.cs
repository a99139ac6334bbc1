using System.Diagnostics.Metrics;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>A pull never fails because of the cache.</summary>
public sealed class StoreTroubleTests
{
    private const int Size = 600_000;

    [Fact]
    public async Task What_can_not_be_staged_flows_through_to_each_client()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        NothingCanBeStaged(scene);

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => scene.PullAsync()));
        var part = await scene.GetRawAsync(scene.LayerPath, "Range: bytes=1000-1999");
        var end = await scene.GetRawAsync(scene.LayerPath, $"Range: bytes={Size - 1000}-");

        Assert.Equal(scene.Layer.Content[1000..2000].ToArray(), part.Body);
        Assert.Equal(scene.Layer.Content[^1000..].ToArray(), end.Body);
        Assert.True(part.IsComplete && end.IsComplete);
        Assert.Contains("writing files failed", (await scene.GetRawAsync("/readyz")).Text, StringComparison.Ordinal);

        EverythingCanBeStaged(scene);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        Assert.Equal("store: ok\n", (await scene.GetRawAsync("/readyz")).Text);
    }

    [Fact]
    public async Task What_flows_through_is_never_complete_and_wrong()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        NothingCanBeStaged(scene);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.WrongBytes(Size / 2));

        Assert.False((await scene.GetRawAsync(scene.LayerPath)).IsComplete);
        Assert.False((await scene.GetRawAsync(scene.LayerPath, $"Range: bytes={Size - 5}-")).IsComplete);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Size / 2)]
    [InlineData(Size - 1)]
    public async Task What_flows_through_is_resumed_where_upstream_breaks_off(int cut)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        NothingCanBeStaged(scene);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(2).Do(Behaviour.CutAfter(cut));

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task What_upstream_does_not_have_is_unknown_also_where_nothing_can_be_staged()
    {
        await using var scene = await Scene.StartAsync();
        NothingCanBeStaged(scene);

        Assert.Equal(404, (await scene.GetRawAsync(Scene.BlobPath(TestBlob.Of("other"u8.ToArray()).Digest))).Status);
    }

    [Fact]
    public async Task A_database_that_can_not_be_written_costs_no_pull()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        Refuse(scene, "repositories", "blobs", "links", "tags");

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => scene.PullAsync()));
        await scene.PullAsync();

        Assert.Contains("writing the database failed", (await scene.GetRawAsync("/readyz")).Text, StringComparison.Ordinal);
        Assert.Single(scene.Mirror.Log.Lines, line => line.Contains("writing the database failed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_database_that_can_not_be_read_costs_no_pull()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        await using (var database = File.Open(Path.Combine(scene.Mirror.DataPath, "mirror.db"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            await database.WriteAsync(new byte[8192]);
        }

        foreach (var file in Directory.GetFiles(scene.Mirror.DataPath, "mirror.db-*"))
        {
            await using var log = File.Open(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            await log.WriteAsync(new byte[1000]);
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => scene.PullAsync()));

        Assert.Contains("reading the database failed", (await scene.GetRawAsync("/readyz")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_can_not_be_opened_is_had_from_upstream_and_not_given_up()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        var file = new StoreLayout(scene.Mirror.DataPath).Blob(scene.Layer.Digest);

        // A link that leads to itself: the file is neither gone nor to be opened, as when handles have run out.
        File.Move(file, file + ".aside");
        File.CreateSymbolicLink(file, file);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.Equal(2, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
        Assert.DoesNotContain(scene.Mirror.Log.Lines, line => line.Contains("is damaged", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Content_that_is_damaged_or_gone_is_had_from_upstream_though_the_database_can_not_forget_it(bool gone)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        Refuse(scene, "repositories", "blobs", "links", "tags");
        var file = new StoreLayout(scene.Mirror.DataPath).Blob(scene.Layer.Digest);
        File.Delete(file);
        if (!gone)
        {
            await File.WriteAllBytesAsync(file, new byte[Size]);
        }

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_flows_through_and_is_of_unsaid_size_ends_where_it_ends(bool ignoresRanges)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        NothingCanBeStaged(scene);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest)
            .Do(ignoresRanges ? [Behaviour.NoContentLength, Behaviour.IgnoreRange] : [Behaviour.NoContentLength]);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.Equal(2, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task A_disk_that_fails_now_and_then_is_said_once_a_minute()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        for (var round = 0; round < 5; round++)
        {
            var blob = TestBlob.Of(new byte[1000 + round]);
            scene.Upstream.AddBlob(Scene.Repository, blob);
            NothingCanBeStaged(scene);
            await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
            EverythingCanBeStaged(scene);
            await scene.GetExactlyAsync(Scene.BlobPath(blob.Digest), blob);
            await scene.Mirror.PublishedAsync(blob.Digest);
        }

        Assert.Single(scene.Mirror.Log.Lines, line => line.Contains("in trouble", StringComparison.Ordinal));
        Assert.Single(scene.Mirror.Log.Lines, line => line.Contains("well again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Each_failure_of_the_store_is_counted()
    {
        var failures = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, it) =>
        {
            if (instrument.Name == "mirror.store.failures")
            {
                it.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref failures, count));
        listener.Start();
        await using var scene = await Scene.StartAsync(layerSize: Size);
        NothingCanBeStaged(scene);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.True(failures >= 2);
    }

    [Fact]
    public async Task What_could_not_be_published_leaves_nothing_in_the_way_of_the_next_download()
    {
        // Larger than the buffers between the mirror and a client that does not read.
        await using var scene = await Scene.StartAsync(layerSize: 16_000_000);
        var folder = new StoreLayout(scene.Mirror.DataPath).BlobFolder(scene.Layer.Digest);
        await File.WriteAllTextAsync(folder, "in the way");
        using var slow = await RawHttp.ConnectAsync(scene.Mirror.Url, receiveBuffer: 4096);
        await slow.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        var head = await slow.ReadHeadAsync();
        await scene.Mirror.LoggedAsync("in trouble");
        File.Delete(folder);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.StallAfter(1_000_000, gate));

        var next = scene.GetRawAsync(scene.LayerPath);
        await gate.Arrived();
        var first = await slow.ReadRestAsync(head);
        gate.Open();

        Assert.Equal(scene.Layer.Content.ToArray(), first.Body);
        Assert.Equal(scene.Layer.Content.ToArray(), (await next).Body);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
    }

    private static void NothingCanBeStaged(Scene scene)
    {
        var staged = Path.Combine(scene.Mirror.DataPath, "staged");
        Directory.Delete(staged, recursive: true);
        File.WriteAllText(staged, "no folder");
    }

    private static void EverythingCanBeStaged(Scene scene)
    {
        var staged = Path.Combine(scene.Mirror.DataPath, "staged");
        File.Delete(staged);
        Directory.CreateDirectory(staged);
    }

    private static void Refuse(Scene scene, params string[] tables)
    {
        using var session = new SqlSession(new StoreLayout(scene.Mirror.DataPath).Database, readOnly: false);
        foreach (var table in tables)
        {
            foreach (var change in new[] { "INSERT", "DELETE" })
            {
                session.Execute($"CREATE TRIGGER no_{change}_{table} BEFORE {change} ON {table} BEGIN SELECT RAISE(ROLLBACK, 'as the test wants it'); END");
            }
        }
    }
}
