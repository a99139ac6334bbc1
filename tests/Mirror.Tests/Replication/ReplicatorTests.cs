using System.Net;
using System.Text;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Replication;
using Mirror.Sync.Jobs;
using Mirror.Sync.Scheduling;
using Mirror.Testing;

namespace Mirror.Tests.Replication;

/// <summary>The jobs of a server that runs.</summary>
public sealed class ReplicatorTests : IAsyncLifetime
{
    private const string Secret = "known to the other registry";

    private static readonly RepositoryName App = RepositoryName.Parse("org/app");
    private static readonly RepositoryName Tool = RepositoryName.Parse("org/tool");
    private static readonly TimeSpan Quarter = TimeSpan.FromMinutes(15);

    private FakeRegistry _source = null!;
    private FakeRegistry _target = null!;

    private static SyncJob Job { get; } = new()
    {
        Name = "apps",
        From = Parse("source"),
        To = Parse("target"),
        Repositories = [RepositoryFilter.TryParse("org/*", out var filter, out _) ? filter : null!],
    };

    private int Listings => _source.Requests.Count(request => request.Path.EndsWith("/tags/list", StringComparison.Ordinal));

    public async Task InitializeAsync() => (_source, _target) = (await FakeRegistry.StartAsync(), await FakeRegistry.StartAsync());

    public async Task DisposeAsync()
    {
        await _source.DisposeAsync();
        await _target.DisposeAsync();
    }

    [Fact]
    public async Task A_job_runs_on_schedule_and_what_was_missed_while_the_server_was_down_is_made_up_for_once()
    {
        _source.Add(App, TestImage.Create(seed: 1), "1");
        await using var mirror = await StartAsync(Job with { Schedule = new Schedule.Every(Quarter) });
        await CopiedAsync(App, "1");
        await mirror.LoggedAsync("Job apps is done");

        _source.Add(App, TestImage.Create(seed: 2), "2");
        await mirror.Time.TimerArmed(Quarter);
        Assert.Null(_target.FindManifest(App, Tag.Parse("2")));
        mirror.Time.Advance(Quarter);
        await CopiedAsync(App, "2");
        Assert.Equal(2, Listings);

        await mirror.RestartAsync(() => mirror.Time.Advance(Quarter * 9));
        await _source.Received(request => request.Path.EndsWith("/tags/list", StringComparison.Ordinal), count: 3);
        await mirror.Time.TimerArmed(Quarter);
        Assert.Equal(3, Listings);
    }

    [Fact]
    public async Task A_server_that_stops_while_a_run_is_overdue_says_nothing_of_a_failure()
    {
        var image = TestImage.Create(seed: 1);
        _source.Add(App, image, "1");
        _source.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.Stall());
        await using var mirror = await StartAsync(Job with { Schedule = new Schedule.Every(TimeSpan.FromSeconds(1)) });
        await _source.Received(HttpMethod.Get, image.Layer.Digest);
        mirror.Time.Advance(TimeSpan.FromSeconds(2));

        await mirror.RestartAsync();

        await CopiedAsync(App, "1");
        Assert.DoesNotContain(mirror.Log.Lines, line => line.Contains("in a way that it should not", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_push_that_another_registry_tells_of_is_copied_when_its_tag_has_settled_and_nothing_else_is()
    {
        _source.Add(App, TestImage.Create(seed: 1), "1", "2");
        _source.Add(Tool, TestImage.Create(seed: 2), "1");
        await using var mirror = await StartAsync(Job);

        var (status, body) = await TellAsync(mirror, Secret, Push("org/app", "2"), Push("elsewhere/app", "1"), """{"action":"pull"}""", "null");

        Assert.Equal((HttpStatusCode.Accepted, """{"jobs":["apps"]}"""), (status, body));
        await mirror.Time.TimerArmed(PushedImages.Settling);
        Assert.Empty(_source.Requests);
        mirror.Time.Advance(PushedImages.Settling);
        await CopiedAsync(App, "2");
        await mirror.LoggedAsync("Job apps is done");
        Assert.Null(_target.FindManifest(App, Tag.Parse("1")));
        Assert.Null(_target.FindManifest(Tool, Tag.Parse("1")));
        Assert.Equal((HttpStatusCode.Accepted, """{"jobs":[]}"""), await TellAsync(mirror, Secret, Push("elsewhere/app", "1")));
    }

    [Fact]
    public async Task What_is_pushed_while_a_job_runs_is_copied_by_one_run_after_it()
    {
        var gate = new Gate();
        var first = TestImage.Create(seed: 1);
        _source.Add(App, first, "1");
        _source.On(HttpMethod.Get, first.Layer.Digest).Do(Behaviour.Stall(gate));
        await using var mirror = await StartAsync(Job with { Schedule = new Schedule.Every(Quarter) });
        await gate.Arrived();

        _source.Add(App, TestImage.Create(seed: 2), "2");
        _source.Add(App, TestImage.Create(seed: 3), "3");
        await TellAsync(mirror, Secret, Push("org/app", "2"));
        await TellAsync(mirror, Secret, Push("org/app", "3"));
        await mirror.Time.TimerArmed(PushedImages.Settling);
        mirror.Time.Advance(PushedImages.Settling);
        Assert.Equal(1, Listings);
        gate.Open();

        await CopiedAsync(App, "2");
        await CopiedAsync(App, "3");
        await Poll.UntilAsync(() => mirror.Log.Lines.Count(line => line.Contains("Job apps is done", StringComparison.Ordinal)) == 2, "it did not run twice");
        Assert.Equal(2, Listings);
    }

    [Fact]
    public async Task Who_does_not_know_the_secret_starts_nothing()
    {
        _source.Add(App, TestImage.Create(seed: 1), "1");
        await using var mirror = await StartAsync(Job);

        Assert.Equal(HttpStatusCode.Unauthorized, (await TellAsync(mirror, "guessed", Push("org/app", "1"))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await TellAsync(mirror, "", Push("org/app", "1"))).Status);
        using var get = await mirror.GetAsync("/api/v1/events", ("Authorization", $"Bearer {Secret}"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.StatusCode);
        foreach (var body in (string[])["", "[]", "{}", """{"events":{}}""", """{"events":[{"action":"push","target":[]}]}""", new string('[', 100_000)])
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(mirror, Secret, body)).Status);
        }

        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(mirror, Secret, """{"events":[]}""", "?registry=sauce")).Status);

        await using var closed = await MirrorHost.StartAsync(
            [MirrorHost.Registry("source", _source), MirrorHost.Registry("target", _target)], sync: new SyncOptions { Jobs = [Job] });
        Assert.Equal(HttpStatusCode.NotFound, (await TellAsync(closed, Secret, Push("org/app", "1"))).Status);
        Assert.Empty(_source.Requests);
    }

    [Fact]
    public async Task Jobs_and_pulls_share_the_connections_to_a_registry()
    {
        var gate = new Gate();
        var images = Enumerable.Range(1, 3).Select(seed => TestImage.Create(seed: seed)).ToList();
        images.ForEach(image => _source.Add(App, image, $"{image.Digest.Hex[..8]}"));
        _source.On(request => request.Path.Contains("/blobs/", StringComparison.Ordinal) && request.Method == HttpMethod.Get).Do(Behaviour.Stall(gate));
        await using var mirror = await MirrorHost.StartAsync(
            [MirrorHost.Registry("source", _source) with { MaxConnections = 2 }, MirrorHost.Registry("target", _target)],
            sync: new SyncOptions { Jobs = [Job], Events = new EventOptions { Secret = new Secret(Secret) } });
        var pulls = images[0].Blobs.Select(blob => mirror.GetAsync($"/source/v2/{App}/blobs/{blob.Digest}")).ToList();
        using var manifest = await mirror.GetAsync($"/source/v2/{App}/manifests/{images[0].Digest}");
        await _source.Received(request => request.Path.Contains("/blobs/", StringComparison.Ordinal) && request.Method == HttpMethod.Get, count: 2);

        await TellAsync(mirror, Secret, Push($"{App}", images[1].Digest.Hex[..8]), Push($"{App}", images[2].Digest.Hex[..8]));
        await mirror.Time.TimerArmed(PushedImages.Settling);
        mirror.Time.Advance(PushedImages.Settling);
        await _target.Received(request => request.Path.Contains("/blobs/", StringComparison.Ordinal) && request.Method == HttpMethod.Head, count: 2);
        Assert.Equal(2, _source.Requests.Count(request => request.Path.Contains("/blobs/", StringComparison.Ordinal) && request.Method == HttpMethod.Get));
        gate.Open();

        await CopiedAsync(App, images[1].Digest.Hex[..8]);
        await CopiedAsync(App, images[2].Digest.Hex[..8]);
        foreach (var pull in pulls)
        {
            using var answer = await pull;
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    private static Endpoint Parse(string text) => Endpoint.TryParse(text, out var endpoint) ? endpoint : throw new FormatException(text);

    private static string Push(string repository, string tag) =>
        $$$"""{"id":"1","action":"push","target":{"repository":"{{{repository}}}","tag":"{{{tag}}}","digest":"sha256:00"},"source":{"addr":"a:1"}}""";

    private static Task<(HttpStatusCode Status, string Body)> TellAsync(MirrorHost mirror, string secret, params string[] events) =>
        PostAsync(mirror, secret, $$"""{"events":[{{string.Join(',', events)}}]}""");

    private static async Task<(HttpStatusCode Status, string Body)> PostAsync(
        MirrorHost mirror, string secret, string body, string query = "")
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(mirror.Url, "/api/v1/events" + query));
        request.Content = new StringContent(body, Encoding.UTF8, "application/vnd.docker.distribution.events.v1+json");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {secret}");
        using var answer = await http.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private Task<MirrorHost> StartAsync(SyncJob job) => MirrorHost.StartAsync(
        [MirrorHost.Registry("source", _source), MirrorHost.Registry("target", _target)],
        sync: new SyncOptions { Jobs = [job], Events = new EventOptions { Secret = new Secret(Secret) } });

    private Task CopiedAsync(RepositoryName repository, string tag) => Poll.UntilAsync(
        () => _target.FindManifest(repository, Tag.Parse(tag)) is { } copied && copied.Digest == _source.FindManifest(repository, Tag.Parse(tag))!.Digest,
        $"{repository}:{tag} was not copied");
}
