using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Administration;

public sealed class SyncTests : IAsyncLifetime
{
    private const string Jobs = "jobs: { bases: { from: docker.io, to: lab/mirror, repositories: [alpine, busybox], delete: true } }";

    /// <summary>A registry's own 404. Any other page may pass, and is waited for.</summary>
    private const string Unknown = """{"errors":[{"code":"NAME_UNKNOWN","message":"no such thing"}]}""";

    private static readonly RepositoryName Copy = RepositoryName.Parse("mirror/library/alpine");
    private static readonly RepositoryName BusyBox = RepositoryName.Parse("library/busybox");

    private FakeRegistry _lab = null!;

    public async Task InitializeAsync() => _lab = await FakeRegistry.StartAsync();

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_run_does_what_the_plan_says_whether_a_server_runs_or_not(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(serving, lab: _lab, sync: Jobs);
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(seed: 1), "3.19", "3.20");
        scene.Upstream.Add(BusyBox, TestImage.Create(seed: 2), "1");
        var requests = _lab.Requests.Count(request => request.Method != HttpMethod.Get && request.Method != HttpMethod.Head);

        var plan = await scene.RunAsync("sync", "plan", "bases", "--json");
        Assert.Equal((0, ""), (plan.Code, plan.Error));
        Assert.Equal(
            [("library/alpine", "3.19", "copy"), ("library/alpine", "3.20", "copy"), ("library/busybox", "1", "copy")],
            plan.Json.GetProperty("images").EnumerateArray()
                .Select(image => (image.GetProperty("repository").GetString(), image.GetProperty("tag").GetString(), image.GetProperty("action").GetString())));
        Assert.All(plan.Json.GetProperty("images").EnumerateArray(), image => Assert.True(image.GetProperty("bytes").GetInt64() > 0));
        Assert.Equal(0, requests);

        var run = await scene.RunAsync("sync", "run", "bases");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains("bases: copied library/alpine:3.20 to mirror/library/alpine:3.20\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("3 copied, 0 up to date, 0 deleted, 0 not done", run.Output, StringComparison.Ordinal);
        Assert.NotNull(_lab.FindManifest(Copy, Tag.Parse("3.19")));

        scene.Upstream.Untag(CommandScene.Repository, "3.19");
        Assert.Contains("delete  library/alpine:3.19", (await scene.RunAsync("sync", "plan", "bases")).Output, StringComparison.Ordinal);
        var again = await scene.RunAsync("sync", "run", "bases", "--json");
        Assert.Equal((0, ""), (again.Code, again.Error));
        var figures = again.Json[0].GetProperty("run");
        Assert.Equal((2, 1, "done"), (figures.GetProperty("upToDate").GetInt32(), figures.GetProperty("deleted").GetInt32(), figures.GetProperty("outcome").GetString()));
        Assert.Null(_lab.FindManifest(Copy, Tag.Parse("3.19")));

        var history = await scene.RunAsync("sync", "history", "bases", "--json");
        Assert.Equal([2, 1], history.Json.EnumerateArray().Select(entry => entry.GetProperty("run").GetInt32()));
        Assert.Equal(0, (await scene.RunAsync("sync", "status")).Code);
        var list = (await scene.RunAsync("sync", "list", "--json")).Json[0];
        Assert.Equal(("docker.io", "lab/mirror"), (list.GetProperty("from").GetString(), list.GetProperty("to").GetString()));
    }

    [Fact]
    public async Task What_was_not_done_is_said_with_the_reason_and_the_exit_code()
    {
        await using var scene = await CommandScene.StartAsync(serving: false, lab: _lab, sync: Jobs);
        var whole = TestImage.Create(seed: 1);
        var broken = TestImage.Create(seed: 2);
        scene.Upstream.Add(CommandScene.Repository, whole, "3.19");
        scene.Upstream.Add(CommandScene.Repository, broken, "3.20");
        scene.Upstream.On(HttpMethod.Get, broken.Layer.Digest).Do(Behaviour.Status(404, Unknown));
        scene.Upstream.Add(BusyBox, TestImage.Create(seed: 3), "1");

        var run = await scene.RunAsync("sync", "run", "bases");

        Assert.Equal(3, run.Code);
        Assert.Contains($"mirror: bases: library/alpine:3.20: blob {broken.Layer.Digest} can not be read", run.Error, StringComparison.Ordinal);
        Assert.Contains("bases: done in part", run.Output, StringComparison.Ordinal);
        var status = await scene.RunAsync("sync", "status");
        Assert.Equal(3, status.Code);
        Assert.Contains(broken.Layer.Digest.ToString(), status.Output, StringComparison.Ordinal);

        scene.Upstream.On(_ => true).Do(Behaviour.Status(404, Unknown));
        Assert.Equal(1, (await scene.RunAsync("sync", "run", "bases")).Code);
        Assert.Equal(1, (await scene.RunAsync("sync", "plan", "bases")).Code);
    }

    [Fact]
    public async Task A_name_that_is_no_jobs_is_wrong_usage_and_the_nearest_is_said()
    {
        await using var scene = await CommandScene.StartAsync(serving: false, lab: _lab, sync: Jobs);

        foreach (var command in (string[])["plan", "run", "stop", "history", "status"])
        {
            var run = await scene.RunAsync("sync", command, "base");
            Assert.Equal((2, "mirror: there is no job 'base': did you mean bases?\n"), (run.Code, run.Error));
        }

        Assert.Equal(2, (await scene.RunAsync("sync", "run", "bases", "--tag", "3.20")).Code);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Theory]
    [InlineData("the job copies no repository alpine", "--repository", "alpine")]
    [InlineData("the job copies no repository library/debian", "--repository", "library/debian")]
    [InlineData("library/alpine:3.2O is not at docker.io", "--repository", "library/alpine", "--tag", "3.2O")]
    [InlineData("library/alpine:edge is not copied: the job excludes edge", "--repository", "library/alpine", "--tag", "edge")]
    public async Task What_is_named_and_not_copied_is_not_said_to_be_done(string why, params string[] scope)
    {
        await using var scene = await CommandScene.StartAsync(
            serving: false, lab: _lab, sync: "jobs: { bases: { from: docker.io, to: lab/mirror, repositories: alpine, tags: { exclude: edge } } }");
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(seed: 1), "3.20", "edge");

        var run = await scene.RunAsync(["sync", "run", "bases", .. scope]);
        Assert.Equal(1, run.Code);
        Assert.StartsWith($"mirror: bases: {why}", run.Error, StringComparison.Ordinal);
        var plan = await scene.RunAsync(["sync", "plan", "bases", .. scope]);
        Assert.NotEqual(0, plan.Code);
        Assert.StartsWith($"mirror: {why}", plan.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await scene.RunAsync("sync", "run", "bases", "--repository", "library/alpine", "--tag", "3.20")).Code);
    }

    [Fact]
    public async Task Without_a_server_a_run_ends_when_what_it_pushed_here_is_copied_on()
    {
        await using var scene = await CommandScene.StartAsync(
            serving: false,
            lab: _lab,
            sync: "jobs: { in: { from: docker.io/library, to: local, repositories: alpine }, out: { from: local, to: lab/out, repositories: alpine } }");
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(seed: 1), "3.19");
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(seed: 2), "3.20");

        var run = await scene.RunAsync("sync", "run", "in");

        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.NotNull(_lab.FindManifest(RepositoryName.Parse("out/alpine"), Tag.Parse("3.19")));
        Assert.NotNull(_lab.FindManifest(RepositoryName.Parse("out/alpine"), Tag.Parse("3.20")));
        Assert.DoesNotContain("stopped", (await scene.RunAsync("sync", "history")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interrupting_a_run_without_a_server_ends_it_and_speaks_of_nothing_else()
    {
        await using var scene = await CommandScene.StartAsync(serving: false, lab: _lab, sync: Jobs);
        var gate = new Gate();
        var image = TestImage.Create(seed: 1);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.Stall(gate));
        using var interrupted = new CancellationTokenSource();
        await using var error = new StringWriter();

        var run = scene.RunAsync(TextWriter.Null, error, interrupted.Token, "sync", "run", "bases");
        await gate.Arrived();
        await interrupted.CancelAsync();

        Assert.Equal(1, await run);
        Assert.Equal("mirror: stopping; what is there stays, and the next run does the rest\n", error.ToString());
        Assert.Equal("stopped", (await scene.RunAsync("sync", "history", "--json")).Json[0].GetProperty("outcome").GetString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Where_no_server_runs_nothing_is_said_to_be_next(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(
            serving, lab: _lab, sync: "jobs: { bases: { schedule: '0 0 1 1 *', from: docker.io, to: lab, repositories: alpine } }");

        foreach (var command in (string[])["list", "status"])
        {
            Assert.Equal(!serving, (await scene.RunAsync("sync", command)).Output.Contains("no server runs", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Who_stops_following_a_run_of_the_server_does_not_stop_it_and_is_told_how_to()
    {
        await using var scene = await CommandScene.StartAsync(serving: true, lab: _lab, sync: Jobs);
        var gate = new Gate();
        var image = TestImage.Create(seed: 1);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        scene.Upstream.Add(BusyBox, TestImage.Create(seed: 2), "1");
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.Stall(gate));
        using var interrupted = new CancellationTokenSource();
        await using var output = new StringWriter();
        await using var error = new StringWriter();

        var following = scene.RunAsync(output, error, interrupted.Token, "sync", "run", "bases");
        await gate.Arrived();
        await interrupted.CancelAsync();

        Assert.Equal(1, await following);
        Assert.Contains("`mirror sync stop bases` stops it", error.ToString(), StringComparison.Ordinal);
        var running = (await scene.RunAsync("sync", "status", "--json")).Json[0].GetProperty("running");
        Assert.Equal("command", running.GetProperty("cause").GetString());
        await using var printed = new PrintedWriter();
        var joined = scene.RunAsync(printed, error, CancellationToken.None, "sync", "run", "bases");
        await printed.Line;
        gate.Open();
        Assert.Equal(0, await joined);
        Assert.Contains("bases: runs already, and is followed", printed.ToString(), StringComparison.Ordinal);
        Assert.NotNull(_lab.FindManifest(Copy, Tag.Parse("3.20")));
    }

    [Fact]
    public async Task A_run_that_is_stopped_says_so_and_the_next_one_does_the_rest()
    {
        await using var scene = await CommandScene.StartAsync(serving: true, lab: _lab, sync: Jobs);
        var gate = new Gate();
        var image = TestImage.Create(seed: 1);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        scene.Upstream.Add(BusyBox, TestImage.Create(seed: 2), "1");
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.Stall(gate));

        var following = scene.RunAsync("sync", "run", "bases");
        await gate.Arrived();
        var stop = await scene.RunAsync("sync", "stop", "bases");

        Assert.Equal((0, "bases: stopped\n"), (stop.Code, stop.Output));
        var run = await following;
        Assert.Equal(3, run.Code);
        Assert.Contains("it was stopped, and the next run does the rest", run.Error, StringComparison.Ordinal);
        Assert.Null(_lab.FindManifest(Copy, Tag.Parse("3.20")));
        Assert.Equal(0, (await scene.RunAsync("sync", "run", "bases")).Code);
        Assert.NotNull(_lab.FindManifest(Copy, Tag.Parse("3.20")));
        Assert.Equal("bases: was not running\n", (await scene.RunAsync("sync", "stop", "bases")).Output);
    }

    [Fact]
    public async Task What_is_asked_wrongly_over_the_socket_is_refused_with_a_sentence()
    {
        await using var scene = await CommandScene.StartAsync(serving: true, lab: _lab, sync: Jobs);

        foreach (var (path, body) in new[]
        {
            ("/sync/run", "{}"), ("/sync/run", """{"jobs":["nobody"]}"""), ("/sync/run", """{"jobs":["bases"],"tags":["1"]}"""),
            ("/sync/run", """{"jobs":["bases"],"repository":"A"}"""), ("/sync/plan", "[]"), ("/sync/plan", "{}"), ("/sync/stop", """{"jobs":[null]}"""),
        })
        {
            var (status, answer) = await scene.AskSocketAsync("POST", path, body);
            Assert.Equal(400, status);
            Assert.Contains("\"error\":", answer, StringComparison.Ordinal);
        }

        Assert.Equal(405, (await scene.AskSocketAsync("GET", "/sync/run")).Status);
        Assert.Equal(400, (await scene.AskSocketAsync("GET", "/sync/history?job=nobody")).Status);
        Assert.Empty(scene.Upstream.Requests);
    }
}
