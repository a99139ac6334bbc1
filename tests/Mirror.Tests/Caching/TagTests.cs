using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class TagTests
{
    private static readonly TimeSpan Freshness = TimeSpan.FromMinutes(5);
    private static readonly TestImage Newer = TestImage.Create(layers: 1, layerSize: 1000, seed: 42);

    [Fact]
    public async Task A_fresh_tag_costs_no_upstream_request()
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness - TimeSpan.FromSeconds(1));

        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        using var head = await scene.Mirror.HeadAsync(scene.TagPath);

        Assert.Equal(200, (int)head.StatusCode);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task An_old_tag_costs_one_HEAD_and_is_fresh_again(string method)
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);

        for (var i = 0; i < 2; i++)
        {
            using var answer = await scene.Mirror.SendAsync(new HttpMethod(method), scene.TagPath);
            Assert.Equal(scene.Image.Digest.ToString(), answer.Headers.GetValues("Docker-Content-Digest").Single());
        }

        var request = Assert.Single(scene.Upstream.Requests);
        Assert.Equal(HttpMethod.Head, request.Method);
    }

    [Fact]
    public async Task A_moved_tag_costs_a_HEAD_and_a_GET()
    {
        await using var scene = await WarmAsync();
        scene.Upstream.Add(Scene.Repository, Newer, Scene.Tag);
        scene.Mirror.Time.Advance(Freshness);

        await scene.GetExactlyAsync(scene.TagPath, Newer.Manifest);

        Assert.Equal([HttpMethod.Head, HttpMethod.Get], scene.Upstream.Requests.Select(request => request.Method));
    }

    [Fact]
    public async Task Sixteen_clients_on_an_old_tag_cost_one_HEAD()
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Head).Do(Behaviour.Stall(gate));

        var asking = Enumerable.Range(0, 16).Select(_ => scene.GetRawAsync(scene.TagPath)).ToList();
        await gate.Arrived();
        gate.Open();
        await Task.WhenAll(asking);

        Assert.Single(scene.Upstream.Requests);
    }

    [Fact]
    public async Task A_HEAD_never_costs_upstream_a_GET_and_a_GET_after_it_costs_one()
    {
        await using var scene = await Scene.StartAsync();

        using var head = await scene.Mirror.HeadAsync(scene.TagPath);
        Assert.Equal(200, (int)head.StatusCode);
        Assert.Equal(scene.Image.Manifest.Size, head.Content.Headers.ContentLength);
        Assert.Equal(MediaTypes.OciManifest, head.Content.Headers.NonValidated["Content-Type"].ToString());
        Assert.Equal([HttpMethod.Head], scene.Upstream.Requests.Select(request => request.Method));

        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        Assert.Equal([HttpMethod.Head, HttpMethod.Get], scene.Upstream.Requests.Select(request => request.Method));
    }

    [Fact]
    public async Task A_HEAD_that_sees_a_moved_tag_does_not_lose_the_image_that_is_here()
    {
        await using var scene = await WarmAsync();
        scene.Upstream.Add(Scene.Repository, Newer, Scene.Tag);
        scene.Mirror.Time.Advance(Freshness);
        using var head = await scene.Mirror.HeadAsync(scene.TagPath);
        Assert.Equal(Newer.Digest.ToString(), head.Headers.GetValues("Docker-Content-Digest").Single());

        await scene.Upstream.StopAsync();

        var answer = await scene.GetRawAsync(scene.TagPath);
        Assert.Equal(scene.Image.Manifest.Content.ToArray(), answer.Body);
        Assert.StartsWith("110 ", answer.Head.Headers["Warning"], StringComparison.Ordinal);
    }

    public static TheoryData<string, Behaviour> Outages => new()
    {
        { "500", Behaviour.Status(500) },
        { "503", Behaviour.Status(503) },
        { "429", Behaviour.Status(429) },
        { "401", Behaviour.Status(401) },
        { "403", Behaviour.Status(403) },
        { "hangs up", Behaviour.HangUp },
    };

    [Theory]
    [MemberData(nameof(Outages))]
    public async Task A_cached_tag_is_answered_as_stale_where_upstream_can_not_be_asked(string outage, Behaviour behaviour)
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);
        scene.Upstream.On(_ => true).Do(behaviour);

        var answer = await scene.GetRawAsync(scene.TagPath);

        Assert.True(answer.Status == 200, outage);
        Assert.Equal(scene.Image.Manifest.Content.ToArray(), answer.Body);
        Assert.StartsWith("110 ", answer.Head.Headers["Warning"], StringComparison.Ordinal);
        Assert.Contains(scene.Mirror.Log.Lines, line => line.Contains("could not be asked", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_cached_tag_costs_a_failing_upstream_one_request()
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);
        scene.Upstream.ClearRequests();
        scene.Upstream.On(_ => true).Do(Behaviour.Status(500));

        await scene.GetRawAsync(scene.TagPath);

        Assert.Single(scene.Upstream.Requests);
    }

    [Fact]
    public async Task A_cached_tag_waits_two_seconds_for_a_silent_upstream_whose_late_answer_still_counts()
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Head).Do(Behaviour.Stall(gate));

        var waiting = scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(2));
        var asking = scene.GetRawAsync(scene.TagPath);
        await waiting;
        await gate.Arrived();
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(2));
        var answer = await asking;
        Assert.StartsWith("110 ", answer.Head.Headers["Warning"], StringComparison.Ordinal);

        var late = scene.GetRawAsync(scene.TagPath);
        gate.Open();
        Assert.False((await late).Head.Headers.ContainsKey("Warning"));
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Head, Scene.Repository, Scene.Tag));
    }

    [Fact]
    public async Task A_cached_tag_is_not_answered_for_ever()
    {
        await using var scene = await WarmAsync();
        await scene.Upstream.StopAsync();
        scene.Mirror.Time.Advance(Freshness + TimeSpan.FromDays(30));

        Assert.Equal(502, (await scene.GetRawAsync(scene.TagPath)).Status);

        // By digest it has no age.
        await scene.GetExactlyAsync(Scene.ManifestPath(scene.Image.Digest.ToString()), scene.Image.Manifest);
    }

    [Fact]
    public async Task A_tag_that_upstream_no_longer_has_is_gone_and_its_digest_still_serves()
    {
        await using var scene = await WarmAsync();
        scene.Upstream.Untag(Scene.Repository, Scene.Tag);
        scene.Mirror.Time.Advance(Freshness);

        Assert.Equal(404, (await scene.GetRawAsync(scene.TagPath)).Status);
        await scene.Upstream.StopAsync();
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(502, (await scene.GetRawAsync(scene.TagPath)).Status);
        await scene.GetExactlyAsync(Scene.ManifestPath(scene.Image.Digest.ToString()), scene.Image.Manifest);
    }

    public static TheoryData<string, Behaviour> PoorHeads => new()
    {
        { "no HEAD at all", Behaviour.NoHead },
        { "HEAD says 404", Behaviour.Status(404) },
        { "HEAD says 403", Behaviour.Status(403) },
        { "no digest", Behaviour.NoDigestHeader },
        { "no length", Behaviour.NoHeader("Content-Length") },
        { "a useless type", Behaviour.WrongContentType("text/plain") },
    };

    [Theory]
    [MemberData(nameof(PoorHeads))]
    public async Task An_upstream_whose_HEAD_is_of_no_use_is_asked_by_GET(string head, Behaviour behaviour)
    {
        await using var scene = await WarmAsync();
        scene.Upstream.Add(Scene.Repository, Newer, Scene.Tag);
        scene.Upstream.On(HttpMethod.Head).Do(behaviour);
        scene.Mirror.Time.Advance(Freshness);

        var answer = await scene.GetRawAsync(scene.TagPath);

        Assert.True(answer.Status == 200, head);
        Assert.Equal(Newer.Manifest.Content.ToArray(), answer.Body);
        Assert.Equal([HttpMethod.Head, HttpMethod.Get], scene.Upstream.Requests.Select(request => request.Method));
    }

    [Fact]
    public async Task Freshness_survives_a_restart()
    {
        await using var scene = await WarmAsync();

        await scene.Mirror.RestartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);

        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task A_listing_is_upstreams_and_without_it_what_it_said_or_else_the_cached_tags_marked_as_stale()
    {
        await using var scene = await WarmAsync();
        scene.Upstream.Tag(Scene.Repository, "never-pulled", scene.Image.Digest);
        var path = $"/v2/{Scene.Repository}/tags/list";

        var live = await scene.GetRawAsync(path);
        scene.Mirror.Time.Advance(Freshness);
        await scene.Upstream.StopAsync();
        var said = await scene.GetRawAsync(path);
        await scene.Mirror.RestartAsync();
        var cached = await scene.GetRawAsync(path);

        Assert.Equal("""{"name":"library/alpine","tags":["3.20","never-pulled"]}""", live.Text);
        Assert.Equal(live.Text, said.Text);
        Assert.Equal("""{"name":"library/alpine","tags":["3.20"]}""", cached.Text);
        Assert.All([said, cached], answer => Assert.StartsWith("110 ", answer.Head.Headers["Warning"], StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_page_of_a_listing_is_asked_for_once_while_it_is_fresh()
    {
        await using var scene = await WarmAsync();
        scene.Upstream.Tag(Scene.Repository, "a", scene.Image.Digest);
        string[] pages = ["?n=1", "?n=2", "?n=1&last=3.20", ""];

        var first = new List<string>();
        foreach (var page in pages)
        {
            first.Add((await scene.GetRawAsync($"/v2/{Scene.Repository}/tags/list{page}")).Text);
        }

        scene.Upstream.Tag(Scene.Repository, "b", scene.Image.Digest);
        foreach (var (page, text) in pages.Zip(first))
        {
            Assert.Equal(text, (await scene.GetRawAsync($"/v2/{Scene.Repository}/tags/list{page}")).Text);
        }

        Assert.Equal(pages.Length, scene.Upstream.Requests.Count);
        scene.Mirror.Time.Advance(Freshness);
        Assert.Contains("\"b\"", (await scene.GetRawAsync($"/v2/{Scene.Repository}/tags/list")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tag_that_upstream_does_not_have_is_asked_about_once_in_five_seconds()
    {
        await using var scene = await Scene.StartAsync();
        var signature = $"sha256-{scene.Image.Digest.Hex}.sig";

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(404, (await scene.GetRawAsync(Scene.ManifestPath(signature))).Status);
            using var head = await scene.Mirror.HeadAsync(Scene.ManifestPath(signature));
            Assert.Equal(404, (int)head.StatusCode);
        }

        Assert.Single(scene.Upstream.Requests);
        scene.Upstream.Tag(Scene.Repository, signature, scene.Image.Digest);
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(5));
        await scene.GetExactlyAsync(Scene.ManifestPath(signature), scene.Image.Manifest);
    }

    [Fact]
    public async Task Only_a_registrys_own_404_is_remembered()
    {
        await using var scene = await Scene.StartAsync();
        Behaviour[] others =
        [
            Behaviour.Status(404, "404 page not found", ("Content-Type", "text/plain")), Behaviour.Status(500), Behaviour.Status(429),
            Behaviour.Status(401), Behaviour.Status(403), Behaviour.HangUp,
        ];

        foreach (var behaviour in others)
        {
            scene.Upstream.On(_ => true).Do(behaviour, Behaviour.NoHeader("Docker-Distribution-API-Version"));
            Assert.NotEqual(404, (await scene.GetRawAsync(scene.TagPath)).Status);
            scene.Upstream.Behave();
            Assert.Equal(200, (await scene.GetRawAsync(scene.TagPath)).Status);
            scene.Upstream.Untag(Scene.Repository, Scene.Tag);
            scene.Mirror.Time.Advance(Freshness);
            Assert.Equal(404, (await scene.GetRawAsync(scene.TagPath)).Status);
            scene.Upstream.Tag(Scene.Repository, Scene.Tag, scene.Image.Digest);
            scene.Mirror.Time.Advance(TimeSpan.FromSeconds(5));
        }
    }

    [Fact]
    public async Task An_immutable_tag_that_is_here_is_never_asked_about_again()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        var image = TestImage.Create(seed: 5);
        upstream.Add(Scene.Repository, image, "v1.2.3", "latest");
        await using var mirror = await MirrorHost.StartAsync(
            [MirrorHost.Registry("docker.io", upstream) with { Default = true, ImmutableTags = [TagPattern.Parse("v*.*.*")] }]);
        foreach (var tag in new[] { "v1.2.3", "latest" })
        {
            Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, Scene.ManifestPath(tag))).Status);
        }

        upstream.ClearRequests();
        upstream.Add(Scene.Repository, Newer, "v1.2.3", "latest");
        mirror.Time.Advance(TimeSpan.FromDays(1000));

        var immutable = await RawHttp.GetAsync(mirror.Url, Scene.ManifestPath("v1.2.3"));
        Assert.Equal(image.Manifest.Content.ToArray(), immutable.Body);
        Assert.False(immutable.Head.Headers.ContainsKey("Warning"));
        Assert.Empty(upstream.Requests);
        Assert.Equal(Newer.Manifest.Content.ToArray(), (await RawHttp.GetAsync(mirror.Url, Scene.ManifestPath("latest"))).Body);
    }

    [Fact]
    public async Task A_listing_comes_page_by_page_behind_links_that_work()
    {
        await using var scene = await Scene.StartAsync();
        foreach (var tag in new[] { "a", "b", "c", "d" })
        {
            scene.Upstream.Tag(Scene.Repository, tag, scene.Image.Digest);
        }

        var pages = new List<string>();
        string? next = $"/docker.io/v2/alpine/tags/list?n=2";
        while (next is not null)
        {
            var answer = await scene.GetRawAsync(next);
            pages.Add(answer.Text);
            next = answer.Head.Headers.TryGetValue("Link", out var link) ? link[1..link.IndexOf('>', StringComparison.Ordinal)] : null;
        }

        Assert.Equal(
            ["""{"name":"alpine","tags":["3.20","a"]}""", """{"name":"alpine","tags":["b","c"]}""", """{"name":"alpine","tags":["d"]}"""], pages);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pull_as_Docker_does_it_is_there_when_upstream_is_gone_by_tag_and_in_the_catalog(bool restart)
    {
        await using var scene = await Scene.StartAsync();
        using var head = await scene.Mirror.HeadAsync(scene.TagPath);
        await scene.GetExactlyAsync(Scene.ManifestPath(scene.Image.Digest.ToString()), scene.Image.Manifest);

        await scene.Upstream.StopAsync();
        scene.Mirror.Time.Advance(Freshness);
        if (restart)
        {
            await scene.Mirror.RestartAsync();
        }

        using var again = await scene.Mirror.HeadAsync(scene.TagPath);
        Assert.Equal(200, (int)again.StatusCode);
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        Assert.Equal("""{"repositories":["docker.io/library/alpine"]}""", (await scene.GetRawAsync("/v2/_catalog")).Text);
    }

    [Fact]
    public async Task A_second_tag_of_an_image_that_is_here_is_cached_by_a_HEAD_alone()
    {
        await using var scene = await WarmAsync();
        scene.Upstream.Tag(Scene.Repository, "latest", scene.Image.Digest);
        using var head = await scene.Mirror.HeadAsync(Scene.ManifestPath("latest"));

        await scene.Upstream.StopAsync();
        scene.Mirror.Time.Advance(Freshness);

        await scene.GetExactlyAsync(Scene.ManifestPath("latest"), scene.Image.Manifest);
    }

    [Fact]
    public async Task A_tag_that_moved_on_since_a_HEAD_saw_it_is_followed()
    {
        await using var scene = await Scene.StartAsync();
        using var head = await scene.Mirror.HeadAsync(scene.TagPath);
        scene.Upstream.Remove(Scene.Repository, scene.Image.Digest);
        scene.Upstream.Add(Scene.Repository, Newer, Scene.Tag);

        await scene.GetExactlyAsync(scene.TagPath, Newer.Manifest);
    }

    [Fact]
    public async Task A_404_that_no_registry_has_written_takes_no_tag_away()
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);
        scene.Upstream.On(_ => true).Do(Behaviour.Status(404, "404 page not found", ("Content-Type", "text/plain")));

        var answer = await scene.GetRawAsync(scene.TagPath);
        var never = await scene.GetRawAsync(Scene.ManifestPath("never-seen"));

        Assert.Equal(scene.Image.Manifest.Content.ToArray(), answer.Body);
        Assert.Equal(502, never.Status);
    }

    [Fact]
    public async Task A_moved_tag_whose_new_manifest_is_not_to_be_had_is_answered_as_it_was()
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);
        scene.Upstream.Add(Scene.Repository, Newer, Scene.Tag);
        scene.Upstream.On(HttpMethod.Get, Newer.Digest).Do(
            Behaviour.Status(404, """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"this replica lags behind"}]}"""));

        var answer = await scene.GetRawAsync(scene.TagPath);

        Assert.Equal(scene.Image.Manifest.Content.ToArray(), answer.Body);
        Assert.StartsWith("110 ", answer.Head.Headers["Warning"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_late_answer_to_an_old_question_does_not_move_a_tag_back()
    {
        await using var scene = await WarmAsync();
        scene.Mirror.Time.Advance(Freshness);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Head, Scene.Repository, Scene.Tag).Times(1).Do(Behaviour.Stall(gate));
        var asking = scene.Mirror.HeadAsync(scene.TagPath);
        await gate.Arrived();
        scene.Upstream.Add(Scene.Repository, Newer, Scene.Tag);
        await scene.GetExactlyAsync(scene.TagPath, Newer.Manifest);

        gate.Open();
        using var late = await asking;

        await scene.GetExactlyAsync(scene.TagPath, Newer.Manifest);
    }

    /// <summary>A scene whose tag is cached and fresh, and whose upstream has forgotten what that cost.</summary>
    private static async Task<Scene> WarmAsync()
    {
        var scene = await Scene.StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Upstream.ClearRequests();
        return scene;
    }
}
