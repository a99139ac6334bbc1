using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>What our credentials can read upstream, and who may see it here.</summary>
public sealed class ShareTests : ShareScene
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_only_our_credentials_can_read_is_unknown_to_everybody_on_every_path_whether_it_is_cached_or_not(bool hides)
    {
        await StartAsync(new TokenOptions { Private = [Private], HidesPrivate = hides });
        var unknown = await GetEverythingAsync();
        Assert.All(unknown, answer => Assert.Equal(404, answer.Status));
        Assert.All(
            unknown.Where(answer => answer.Body.Length > 0), answer => Assert.Contains("NAME_UNKNOWN", answer.Text, StringComparison.Ordinal));
        Assert.Empty(Mirror.Published());

        await PullHiddenAsAliceAsync();
        AssertSame(unknown, await GetEverythingAsync());
        Mirror.Time.Advance(TimeSpan.FromMinutes(1));
        AssertSame(unknown, await GetEverythingAsync());
        await Mirror.RestartAsync();
        AssertSame(unknown, await GetEverythingAsync());
        await Upstream.StopAsync();
        AssertSame(unknown, await GetEverythingAsync());
        Mirror.Time.Advance(TimeSpan.FromDays(2));
        AssertSame(unknown, await GetEverythingAsync());
    }

    [Fact]
    public async Task A_repository_that_nobody_has_asked_about_is_an_outage_while_upstream_is_down_and_never_what_is_cached()
    {
        await StartAsync();
        await PullHiddenAsAliceAsync();
        await Upstream.StopAsync();

        Assert.All(await GetEverythingAsync(), answer => Assert.Equal(502, answer.Status));
        await Mirror.RestartAsync();
        Assert.All(await GetEverythingAsync(), answer => Assert.Equal(502, answer.Status));
        Assert.Equal(Hidden.Manifest.Content.ToArray(), (await GetAsync(Private, $"manifests/{Hidden.Digest}", Alice)).Body);
    }

    [Fact]
    public async Task Why_a_private_repository_is_unknown_is_said_once_in_the_log_and_the_answer_names_the_option()
    {
        await StartAsync();

        for (var i = 0; i < 3; i++)
        {
            Assert.Contains("share: all", (await GetAsync(Private, $"manifests/{Scene.Tag}")).Text, StringComparison.Ordinal);
            Mirror.Time.Advance(TimeSpan.FromMinutes(1));
        }

        var line = Assert.Single(Mirror.Log.Lines, line => line.Contains("is not for everybody", StringComparison.Ordinal));
        Assert.Contains("docker.io/team/app", line, StringComparison.Ordinal);
        Assert.Contains("share: all", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_repository_that_nobody_has_asked_about_has_to_wait_while_upstream_wants_to_be_left_alone()
    {
        await StartAsync();
        Upstream.On(_ => true).Do(Behaviour.Status(429, null, ("Retry-After", "30")));

        var answer = await GetAsync(Public, $"manifests/{Scene.Tag}");

        Assert.Equal((429, "30"), (answer.Status, answer.Head.Headers["Retry-After"]));
    }

    [Fact]
    public async Task Whom_a_rule_names_reads_what_is_private_and_no_question_is_asked_for_it()
    {
        await StartAsync();

        await PullHiddenAsAliceAsync();
        var tags = await GetAsync(Private, "tags/list", Alice);

        Assert.Equal("""{"name":"docker.io/team/app","tags":["3.20"]}""", tags.Text);
        Assert.Equal(0, Upstream.Count(HttpMethod.Head, Private, Scene.Tag));
    }

    [Fact]
    public async Task A_public_repository_is_asked_about_once_however_many_clients_ask_for_whatever()
    {
        await StartAsync();
        var gate = new Gate();
        Upstream.On(HttpMethod.Head).Do(Behaviour.Stall(gate));

        var asking = Enumerable.Range(0, 16).Select(_ => GetAsync(Public, $"manifests/{Scene.Tag}")).ToList();
        await gate.Arrived();
        gate.Open();
        Assert.All(await Task.WhenAll(asking), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(200, (await GetAsync(Public, $"blobs/{Shown.Layer.Digest}")).Status);
        Assert.Equal(200, (await GetAsync(Public, "tags/list")).Status);
        await Mirror.RestartAsync();
        Mirror.Time.Advance(TimeSpan.FromHours(23));
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);

        Assert.Equal(1, Questions());
        Mirror.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
        Assert.Equal(2, Questions());

        // Nobody else asks with HEAD: the tag is fetched at once, and blobs too.
        int Questions() => Upstream.Requests.Count(request => request.Method == HttpMethod.Head && request.Status == 200);
    }

    [Fact]
    public async Task Private_content_costs_upstream_one_question_a_minute()
    {
        await StartAsync();
        await PullHiddenAsAliceAsync();
        Upstream.ClearRequests();

        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => GetAsync(Private, $"blobs/{Hidden.Layer.Digest}")));
        var once = Upstream.Requests.Count;
        await GetEverythingAsync();
        Assert.Equal(once, Upstream.Requests.Count);

        Mirror.Time.Advance(TimeSpan.FromMinutes(1));
        await GetAsync(Private, $"blobs/{Hidden.Layer.Digest}");
        Assert.NotEqual(once, Upstream.Requests.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_question_is_asked_without_our_credentials(bool tokens)
    {
        await StartAsync();
        if (!tokens)
        {
            Upstream.RequireBasic("mirror", "secret", Public);
        }

        foreach (var path in new[] { $"manifests/{Scene.Tag}", $"blobs/{Hidden.Layer.Digest}", "tags/list" })
        {
            Assert.Equal(404, (await GetAsync(Private, path)).Status);
            Mirror.Time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.NotEmpty(Upstream.Requests);
        Assert.DoesNotContain(
            Upstream.Requests, request => request.Header("Authorization")?.StartsWith("Basic", StringComparison.Ordinal) ?? false);
        Assert.DoesNotContain(Upstream.Requests, request => request.Target.Contains("account=", StringComparison.Ordinal));
        Assert.All(
            Upstream.Requests.Where(request => request.Path.StartsWith("/v2/", StringComparison.Ordinal)),
            request => Assert.Contains("mirror-", request.Header("Via"), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_everything_is_shared_or_nobody_is_logged_in_nothing_is_asked()
    {
        await StartAsync(change: registry => registry with { Share = Share.All });

        Assert.Equal(200, (await GetAsync(Private, $"manifests/{Scene.Tag}")).Status);
        Assert.Equal(200, (await GetAsync(Private, $"blobs/{Hidden.Layer.Digest}")).Status);
        Assert.DoesNotContain(Upstream.Requests, request => request.Method == HttpMethod.Head);

        Upstream.RequireNothing();
        await using var anonymous = await MirrorHost.StartAsync(Upstream);
        Upstream.ClearRequests();
        Assert.Equal(200, (await RawHttp.GetAsync(anonymous.Url, $"/v2/{Private}/manifests/{Scene.Tag}")).Status);
        Assert.Single(Upstream.Requests);
    }

    [Fact]
    public async Task As_whom_upstream_was_asked_is_for_the_log_and_not_for_clients()
    {
        await StartAsync(change: registry => registry with { Share = Share.All, Username = "robot-7", Password = new Secret("wrong") });

        var refused = await GetAsync(Private, $"manifests/{Scene.Tag}");

        Assert.Equal(403, refused.Status);
        Assert.DoesNotContain("robot-7", refused.Text, StringComparison.Ordinal);
        Assert.Contains(Mirror.Log.Lines, line => line.Contains("it was asked as user robot-7", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_public_stays_so_while_upstream_is_down_also_after_a_restart_and_a_day()
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        await Upstream.StopAsync();

        Mirror.Time.Advance(TimeSpan.FromDays(3));
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Scene.Tag}")).Status);
        await Mirror.RestartAsync();
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Scene.Tag}")).Status);
    }

    [Fact]
    public async Task An_upstream_that_is_silent_keeps_nobody_from_what_was_public_for_longer_than_two_seconds()
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        Mirror.Time.Advance(TimeSpan.FromDays(1));
        Upstream.On(_ => true).Do(Behaviour.Stall());

        var waiting = Mirror.Time.TimerArmed(TimeSpan.FromSeconds(2));
        var asking = GetAsync(Public, $"manifests/{Shown.Digest}");
        await waiting;
        Mirror.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(200, (await asking).Status);

        // The clock stands still: whoever is answered has not waited.
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
    }

    [Fact]
    public async Task What_was_public_and_is_no_longer_is_private_after_a_day()
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        Upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [Public, Private] });
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);

        Mirror.Time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(404, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
        Assert.Equal("""{"repositories":[]}""", (await RawHttp.GetAsync(Mirror.Url, "/v2/_catalog")).Text);
        await Upstream.StopAsync();
        await Mirror.RestartAsync();
        Assert.Equal(502, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
    }

    [Fact]
    public async Task A_late_no_counts_although_somebody_did_not_wait_for_it()
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        Mirror.Time.Advance(TimeSpan.FromDays(1));
        Upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [Public], HidesPrivate = true });
        var gate = new Gate();
        Upstream.On(HttpMethod.Head, Shown.Digest).Times(1).Do(Behaviour.Stall(gate));
        var waiting = Mirror.Time.TimerArmed(TimeSpan.FromSeconds(2));
        var asking = GetAsync(Public, $"manifests/{Shown.Digest}");
        await waiting;
        await gate.Arrived();
        Mirror.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(200, (await asking).Status);

        gate.Open();
        await Mirror.LoggedAsync("docker.io/library/alpine is no longer for everybody");

        Assert.Equal(404, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
    }

    [Fact]
    public async Task What_is_staged_of_private_content_is_not_opened_by_a_public_manifest_that_names_it()
    {
        await StartAsync();
        Upstream.AddManifest(Public, Hidden.Manifest, "greedy");
        Assert.Equal(200, (await GetAsync(Public, "manifests/greedy")).Status);

        // As after a crash between the last byte and publishing.
        await Mirror.RestartAsync(() =>
        {
            using var staged = new BlobStore(new StoreLayout(Mirror.DataPath), Mirror.Time).StageDownload("docker.io", Hidden.Layer.Digest);
            staged.Append(Hidden.Layer.Content.Span);
            staged.Keep();
        });

        Assert.Equal(404, (await GetAsync(Public, $"blobs/{Hidden.Layer.Digest}")).Status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Something_that_does_not_exist_makes_no_repository_private(bool hides)
    {
        await StartAsync(new TokenOptions { Private = [Private], HidesPrivate = hides });

        var absent = await GetAsync(Public, "manifests/never");
        var hidden = await GetAsync(Private, "manifests/never");

        Assert.Equal((404, absent.Text), (hidden.Status, hidden.Text));
        Upstream.ClearRequests();
        await GetAsync(Public, "manifests/never");
        Assert.Empty(Upstream.Requests);
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Scene.Tag}")).Status);
        Assert.Contains("MANIFEST_UNKNOWN", (await GetAsync(Public, "manifests/never")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_waits_for_the_question_about_something_that_does_not_exist_is_still_answered()
    {
        await StartAsync();
        var gate = new Gate();
        Upstream.On(HttpMethod.Head, Public, "never").Times(1).Do(Behaviour.Stall(gate));

        var absent = GetAsync(Public, "manifests/never");
        await gate.Arrived();
        var present = GetAsync(Public, $"manifests/{Scene.Tag}");
        gate.Open();

        Assert.Equal((404, 200), ((await absent).Status, (await present).Status));
    }

    [Fact]
    public async Task The_catalog_shows_what_is_public_and_to_whom_a_rule_names_the_rest()
    {
        await StartAsync();
        await using var open = await FakeRegistry.StartAsync();
        open.Add(Private, Shown, "1");
        await Mirror.RestartAsync([Registry, MirrorHost.Registry("open.example", open)]);
        await PullHiddenAsAliceAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        await RawHttp.GetAsync(Mirror.Url, $"/v2/open.example/{Private}/manifests/1");

        Assert.Equal(
            """{"repositories":["docker.io/library/alpine","open.example/team/app"]}""", (await RawHttp.GetAsync(Mirror.Url, "/v2/_catalog")).Text);
        Assert.Equal("""{"repositories":["library/alpine"]}""", (await RawHttp.GetAsync(Mirror.Url, "/v2/_catalog?ns=docker.io")).Text);
        Assert.Equal(
            """{"repositories":["docker.io/library/alpine","docker.io/team/app","open.example/team/app"]}""",
            (await RawHttp.GetAsync(Mirror.Url, "/v2/_catalog", Alice)).Text);
        var page = await RawHttp.GetAsync(Mirror.Url, "/v2/_catalog?n=1");
        Assert.Equal("""{"repositories":["docker.io/library/alpine"]}""", page.Text);
        Assert.Contains("last=docker.io%2Flibrary%2Falpine", page.Head.Headers["Link"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_public_manifest_that_names_a_private_layer_does_not_open_it(bool restart)
    {
        await StartAsync();
        Upstream.AddManifest(Public, Hidden.Manifest, "greedy");
        await PullHiddenAsAliceAsync();
        Assert.Equal(200, (await GetAsync(Public, "manifests/greedy")).Status);
        if (restart)
        {
            await Mirror.RestartAsync();
        }

        Assert.Equal(404, (await GetAsync(Public, $"blobs/{Hidden.Layer.Digest}")).Status);
        Assert.Equal(404, (await GetAsync(Public, $"blobs/{Hidden.Layer.Digest}", "Range: bytes=0-9")).Status);
        Assert.Equal(404, (await HeadAsync(Public, $"blobs/{Hidden.Layer.Digest}")).Status);
    }

    [Fact]
    public async Task What_a_repository_has_that_was_public_once_is_not_opened_by_a_public_manifest_that_names_it()
    {
        await StartAsync(new TokenOptions());
        Assert.Equal(200, (await GetAsync(Private, $"manifests/{Scene.Tag}")).Status);
        Upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [Private], HidesPrivate = true });
        Mirror.Time.Advance(TimeSpan.FromDays(1));

        await PullHiddenAsAliceAsync();
        Upstream.AddManifest(Public, Hidden.Manifest, "greedy");
        Assert.Equal(200, (await GetAsync(Public, "manifests/greedy")).Status);

        Assert.Equal(404, (await GetAsync(Public, $"blobs/{Hidden.Layer.Digest}")).Status);
    }

    [Fact]
    public async Task A_public_index_that_names_a_private_image_does_not_open_it()
    {
        await StartAsync();
        var index = System.Text.Encoding.UTF8.GetBytes(
            $$"""
            {"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[
             {"mediaType":"{{MediaTypes.OciManifest}}","digest":"{{Hidden.Digest}}","size":{{Hidden.Manifest.Size}}}]}
            """);
        Upstream.AddManifest(Public, TestBlob.Of(index, MediaTypes.OciIndex), "greedy");
        await PullHiddenAsAliceAsync();
        Assert.Equal(200, (await GetAsync(Public, "manifests/greedy")).Status);

        Assert.Equal(404, (await GetAsync(Public, $"manifests/{Hidden.Digest}")).Status);
        Assert.Equal(404, (await HeadAsync(Public, $"manifests/{Hidden.Digest}")).Status);
    }

    [Fact]
    public async Task A_running_download_of_private_content_is_not_followed_through_a_public_manifest_that_names_it()
    {
        await StartAsync();
        Upstream.AddManifest(Public, Hidden.Manifest, "greedy");
        Assert.Equal(200, (await GetAsync(Public, "manifests/greedy")).Status);
        var gate = new Gate();
        Upstream.On(HttpMethod.Get, Hidden.Layer.Digest).Do(Behaviour.Drip(1000, gate));
        var running = GetAsync(Private, $"blobs/{Hidden.Layer.Digest}", Alice);
        await gate.Arrived();

        Assert.Equal(404, (await GetAsync(Public, $"blobs/{Hidden.Layer.Digest}")).Status);
        gate.Open();
        Assert.Equal(Hidden.Layer.Content.ToArray(), (await running).Body);
    }

    [Fact]
    public async Task Content_that_a_public_repository_has_too_is_confirmed_once_and_served_from_disk()
    {
        await StartAsync();
        Upstream.Add(Public, Hidden, "shared");
        await PullHiddenAsAliceAsync();
        Assert.Equal(200, (await GetAsync(Public, "manifests/shared")).Status);
        Upstream.ClearRequests();

        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(Hidden.Layer.Content.ToArray(), (await GetAsync(Public, $"blobs/{Hidden.Layer.Digest}")).Body);
        }

        Assert.Equal([HttpMethod.Head], Upstream.RequestsFor(Hidden.Layer.Digest).Select(request => request.Method));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_registry_gives_only_to_our_certificate_is_private_and_the_question_does_not_show_it(bool hangsUp)
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("127.0.0.1");
        using var own = authority.Issue("mirror");
        Upstream = await FakeRegistry.StartAsync(certificate);
        Upstream.Add(Public, Shown, Scene.Tag);
        Upstream.Add(Private, Hidden, Scene.Tag);
        Upstream.On(request => request.ClientCertificate is null && request.Path.StartsWith($"/v2/{Private}/", StringComparison.Ordinal))
            .Do(hangsUp ? Behaviour.HangUp : Behaviour.Status(400));
        Mirror = await MirrorHost.StartAsync(
        [
            MirrorHost.Registry("docker.io", Upstream) with
            {
                Default = true, CertificateAuthorities = authority.Certificates, ClientCertificate = own,
            },
        ]);

        Assert.Equal(404, (await GetAsync(Private, $"manifests/{Scene.Tag}")).Status);
        Upstream.ClearRequests();
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Scene.Tag}")).Status);
        Assert.Equal([null, "CN=mirror"], Upstream.Requests.Select(request => request.ClientCertificate));
    }

    [Fact]
    public async Task What_credentials_have_read_stays_private_when_they_are_taken_away()
    {
        await StartAsync();
        await PullHiddenAsAliceAsync();

        await Mirror.RestartAsync([Registry with { Username = null, Password = null }]);

        Assert.All(await GetEverythingAsync(), answer => Assert.Equal(404, answer.Status));
        await Upstream.StopAsync();
        Assert.Equal(Hidden.Manifest.Content.ToArray(), (await GetAsync(Private, $"manifests/{Hidden.Digest}", Alice)).Body);
    }

    /// <summary>What everybody gets of the private repository: on every path, in every way.</summary>
    private async Task<IReadOnlyList<RawResponse>> GetEverythingAsync()
    {
        string[] paths =
        [
            $"manifests/{Scene.Tag}", $"manifests/{Hidden.Digest}", $"blobs/{Hidden.Config.Digest}", $"blobs/{Hidden.Layer.Digest}", "tags/list",
            $"referrers/{Hidden.Digest}",
        ];
        var answers = new List<RawResponse>();
        foreach (var path in paths)
        {
            answers.Add(await GetAsync(Private, path));
            answers.Add(await HeadAsync(Private, path));
        }

        answers.Add(await GetAsync(Private, $"blobs/{Hidden.Layer.Digest}", "Range: bytes=0-9"));
        answers.Add(await GetAsync(Private, $"manifests/{Hidden.Digest}", $"If-None-Match: \"{Hidden.Digest}\""));
        answers.Add(await GetAsync(Private, "tags/list?n=0"));
        return answers;
    }

    private static void AssertSame(IReadOnlyList<RawResponse> expected, IReadOnlyList<RawResponse> actual) => Assert.Equal(
        expected.Select(TextOf), actual.Select(TextOf));

    /// <summary>All of an answer but when it was given.</summary>
    private static string TextOf(RawResponse answer) => string.Join(
        '\n',
        answer.Head.Headers.Where(header => header.Key != "Date").Select(header => $"{header.Key}: {header.Value}").Order(StringComparer.Ordinal)
            .Prepend(answer.Head.StatusLine).Append(answer.Text));
}
