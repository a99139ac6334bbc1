using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>An upstream that breaks off costs its clients nothing, and itself only what is missing.</summary>
public sealed class ResumedDownloadTests
{
    private const int Size = 600_000;

    public static TheoryData<string, Behaviour> Breaks => new()
    {
        { "cut after nothing", Behaviour.CutAfter(0) },
        { "cut after a byte", Behaviour.CutAfter(1) },
        { "cut in the middle", Behaviour.CutAfter(Size / 2) },
        { "cut before the last byte", Behaviour.CutAfter(Size - 1) },
        { "reset in the middle", Behaviour.ResetAfter(Size / 2) },
        { "too few bytes, though it promised all", Behaviour.TooFew(10, LengthHeader.Lying) },
    };

    [Theory]
    [MemberData(nameof(Breaks))]
    public async Task A_broken_body_is_completed_by_asking_for_the_rest(string what, Behaviour behaviour)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(behaviour);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        var requests = scene.Upstream.RequestsFor(scene.Layer.Digest);
        Assert.True(requests.Count == 2, what);
        await requests[0].Ended;
        await requests[1].Ended;

        // What a reset has overtaken on its way never arrived, and is asked for again.
        var arrived = requests[1].Header("Range") is { } range ? int.Parse(range["bytes=".Length..^1]) : 0;
        Assert.True(what.StartsWith("reset", StringComparison.Ordinal) ? arrived <= requests[0].BytesSent : arrived == requests[0].BytesSent, what);
        Assert.Equal(Size - arrived, requests[1].BytesSent);
    }

    [Fact]
    public async Task A_body_of_unsaid_length_that_is_shorter_than_the_manifest_says_is_completed()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.TooFew(10, LengthHeader.Absent));

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Theory]
    [MemberData(nameof(Breaks))]
    public async Task An_upstream_that_ignores_ranges_repeats_itself_and_nobody_notices(string what, Behaviour behaviour)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(behaviour);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.IgnoreRange);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.True(scene.Upstream.RequestsFor(scene.Layer.Digest).Count == 2, what);
    }

    [Fact]
    public async Task What_is_repeated_differently_is_never_complete_and_never_kept()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.WrongBytes(5), Behaviour.CutAfter(Size / 2));
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.IgnoreRange);

        Assert.False(await scene.GetRawAsync(scene.LayerPath) is { Status: 200, IsComplete: true });

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(429)]
    public async Task An_error_in_the_middle_is_waited_out(int status)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.CutAfter(Size / 2));
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.Status(status, "", ("Retry-After", "7")));
        var waiting = scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(status == 429 ? 7 : 1));

        var asking = scene.GetRawAsync(scene.LayerPath);
        await waiting;
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(7));

        Assert.Equal(scene.Layer.Content.ToArray(), (await asking).Body);
    }

    [Fact]
    public async Task Silence_in_the_middle_ends_the_connection_and_not_the_download()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.Drip(1000, gate));
        gate.ReleaseBytes(100_000);

        using var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        var head = await client.ReadHeadAsync();
        var start = await client.ReadBodyAsync(90_000);
        await scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(30));
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(30));
        var rest = await client.ReadRestAsync(head);

        Assert.True(rest.IsComplete);
        Assert.Equal(scene.Layer.Content.ToArray(), start.Concat(rest.Body).ToArray());
    }

    [Fact]
    public async Task An_upstream_that_changes_its_mind_about_the_length_is_asked_again()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.CutAfter(Size / 2));
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.IgnoreRange, Behaviour.TooMany(10));
        var waiting = scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(1));

        var asking = scene.GetRawAsync(scene.LayerPath);
        await waiting;
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(scene.Layer.Content.ToArray(), (await asking).Body);
    }

    [Fact]
    public async Task An_upstream_that_brings_nothing_any_more_is_given_up_and_the_next_try_goes_on_from_there()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.CutAfter(Size / 2));
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.Status(500));

        var asking = scene.GetRawAsync(scene.LayerPath);
        foreach (var pause in new[] { 1, 2, 4, 8, 16, 25, 25 })
        {
            // No further than the pause: the attempt behind it has timeouts of its own.
            await scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(pause));
            scene.Mirror.Time.Advance(TimeSpan.FromSeconds(pause));
        }

        Assert.False((await asking).IsComplete);
        scene.Upstream.Behave();
        scene.Upstream.ClearRequests();
        scene.Mirror.Time.Advance(TimeSpan.FromMinutes(1));
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.Equal($"bytes={Size / 2}-", Assert.Single(scene.Upstream.Requests).Header("Range"));
    }

    [Fact]
    public async Task After_a_restart_of_the_mirror_only_the_rest_is_fetched()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.Drip(1000, gate));
        gate.ReleaseBytes(Size / 2);
        using var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        await client.ReadHeadAsync();
        await client.ReadBodyAsync((Size / 2) - 1);

        await scene.Mirror.RestartAsync();
        scene.Upstream.ClearRequests();
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.Equal($"bytes={Size / 2}-", Assert.Single(scene.Upstream.Requests).Header("Range"));
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        Assert.Equal(0, scene.Mirror.Staged());
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(Size)]
    [InlineData(Size + 5)]
    public async Task What_is_left_of_an_earlier_download_is_not_believed_without_proof(int length)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.Mirror.RestartAsync(() => File.WriteAllBytes(
            Path.Combine(scene.Mirror.DataPath, "staged", $"Sha256-{scene.Layer.Digest.Hex}-docker.io"), new byte[length]));

        var first = await scene.GetRawAsync(scene.LayerPath);

        Assert.True(!first.IsComplete || first.Status != 200 || first.Body.AsSpan().SequenceEqual(scene.Layer.Content.Span));
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task Who_has_read_nothing_wrong_of_what_does_not_fit_together_gets_the_whole_blob_from_the_second_try()
    {
        const int Large = 16_000_000;
        await using var scene = await Scene.StartAsync(layerSize: Large);
        var left = scene.Layer.Content[..(Large - 1000)].ToArray();
        left[^1] ^= 0xFF;
        await scene.Mirror.RestartAsync(() => File.WriteAllBytes(
            Path.Combine(scene.Mirror.DataPath, "staged", $"Sha256-{scene.Layer.Digest.Hex}-docker.io"), left));
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.Stall(gate));

        // Its buffers are smaller than what is there already, so that it has not read the wrong byte when that is found out.
        using var slow = await RawHttp.ConnectAsync(scene.Mirror.Url, receiveBuffer: 4096);
        await slow.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        gate.Open();
        var head = await slow.ReadHeadAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        var rest = await slow.ReadRestAsync(head);

        Assert.True(rest.IsComplete);
        Assert.Equal(scene.Layer.Content.ToArray(), rest.Body);
        Assert.Equal([$"bytes={left.Length}-", null], scene.Upstream.RequestsFor(scene.Layer.Digest).Select(request => request.Header("Range")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_left_whole_costs_nothing_if_it_is_right_and_is_never_served_if_it_is_wrong(bool right)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        await scene.Mirror.RestartAsync(() => File.WriteAllBytes(Left(scene), right ? scene.Layer.Content.ToArray() : new byte[Size]));

        var first = await scene.GetRawAsync(scene.LayerPath);

        Assert.True(!first.IsComplete || first.Body.AsSpan().SequenceEqual(scene.Layer.Content.Span));
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.Equal(right ? 0 : 1, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task What_is_left_longer_than_the_blob_is_never_served_also_where_upstream_ignores_ranges()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.Mirror.RestartAsync(() => File.WriteAllBytes(Left(scene), new byte[Size + 5]));
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.IgnoreRange);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task A_second_try_needs_no_second_connection()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size, configure: registry => registry with { MaxConnections = 1 });
        await scene.Mirror.RestartAsync(() => File.WriteAllBytes(Left(scene), new byte[1000]));

        await scene.GetRawAsync(scene.LayerPath);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    public static TheoryData<string, Behaviour> RefusedRanges => new()
    {
        { "400", Behaviour.Status(400) },
        { "403", Behaviour.Status(403) },
        { "416", Behaviour.Status(416) },
        { "501", Behaviour.Status(501) },
        { "206 without a range", Behaviour.Status(206, "x") },
        { "another range", Behaviour.ShiftedRange(-5) },
    };

    [Theory]
    [MemberData(nameof(RefusedRanges))]
    public async Task Where_upstream_gives_no_parts_it_is_asked_for_the_whole_and_the_pull_succeeds(string what, Behaviour behaviour)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        var isLie = what == "another range";
        scene.Upstream.On(request => request.Header("Range") is not null && request.AsksFor(scene.Layer.Digest)).Times(isLie ? 1 : 99).Do(behaviour);
        await scene.Mirror.RestartAsync(() => File.WriteAllBytes(Left(scene), scene.Layer.Content[..1000].ToArray()));

        var leftBefore = await scene.GetRawAsync(scene.LayerPath);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        var other = TestImage.Create(layers: 1, layerSize: Size, seed: 7);
        scene.Upstream.Add(Scene.Repository, other, "other");
        scene.Upstream.On(request => request.Header("Range") is not null && request.AsksFor(other.Layer.Digest)).Times(isLie ? 1 : 99).Do(behaviour);
        scene.Upstream.On(HttpMethod.Get, other.Layer.Digest).Times(1).Do(Behaviour.CutAfter(Size / 2));
        var inTheMiddle = await scene.GetRawAsync(Scene.BlobPath(other.Layer.Digest));

        Assert.True(isLie || (leftBefore.IsComplete && inTheMiddle.IsComplete));
        Assert.True(!leftBefore.IsComplete || leftBefore.Body.AsSpan().SequenceEqual(scene.Layer.Content.Span));
        Assert.True(!inTheMiddle.IsComplete || inTheMiddle.Body.AsSpan().SequenceEqual(other.Layer.Content.Span));
    }

    private static string Left(Scene scene) => Path.Combine(scene.Mirror.DataPath, "staged", $"Sha256-{scene.Layer.Digest.Hex}-docker.io");
}
