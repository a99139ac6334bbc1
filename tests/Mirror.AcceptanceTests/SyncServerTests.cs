using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Two registries of CNCF Distribution, and a server that copies from the one to the other.</summary>
public sealed partial class SyncServerTests : IAsyncLifetime
{
    private DistributionRegistry _source = null!;
    private DistributionRegistry _target = null!;

    public async Task InitializeAsync()
    {
        _source = await DistributionRegistry.StartAsync();
        _target = await DistributionRegistry.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _source.DisposeAsync();
        await _target.DisposeAsync();
    }

    [FactWith("docker-registry")]
    public async Task Two_jobs_that_overlap_one_on_schedule_and_one_by_command_send_no_blob_twice()
    {
        // Of four in each repository the others have two as well.
        PublishedImage[] images =
        [
            .. ((string[])["team/app", "team/tool", "team/web"]).SelectMany((repository, number) => Enumerable.Range(0, 4).Select(tag =>
            {
                var seed = tag < 2 ? tag : (10 * number) + tag;
                return PublishedImage.Of(repository, $"v{tag}", TestImage.Create(layers: 3, layerSize: 500_000, seed));
            })),
        ];
        await PublishedImage.PushAsync(_source.Url, images);
        await using var gateway = await Gateway.StartAsync(_source.Url);
        var bothRun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        gateway.Trouble = request =>
            request.Target.Contains("/blobs/", StringComparison.Ordinal) ? new Trouble { Holds = bothRun.Task } : null;
        await using var mirror = await ConfigureAsync(
            gateway.Url,
            """
            jobs: {
              scheduled: { schedule: every 1h, from: source, to: target, repositories: [team/app, team/tool] },
              told: { from: source, to: target, repositories: [team/tool, team/web] } }
            """);
        await mirror.StartAsync();

        await using var command = mirror.StartCommand("sync", "run", "told");
        await Poll.UntilAsync(
            async () => (await StatusAsync(mirror)).All(job => job!["running"] is { } running && (int?)running["allImages"] > 0),
            "the two do not run side by side");
        bothRun.SetResult();

        Assert.Equal(0, await command.ExitedAsync());
        await mirror.PrintsAsync("Job scheduled is done");

        await PulledImage.AssertAreThereAsync(_target.Url, images);
        await _target.StopAsync();
        var puts = _target.MirrorRequests.Select(line => FinishedUpload().Match(line)).Where(match => match.Success)
            .Select(match => match.Groups["digest"].Value)
            .ToList();
        Assert.Equal(
            images.SelectMany(image => image.Blobs).Select(blob => blob.Digest.Hex).Distinct().Order(StringComparer.Ordinal),
            puts.Order(StringComparer.Ordinal));
    }

    [FactWith("docker-registry")]
    public async Task A_run_that_nobody_follows_any_more_goes_on_until_it_is_stopped()
    {
        var image = PublishedImage.Of("team/app", "1.0", TestImage.Create());
        await PublishedImage.PushAsync(_source.Url, image);
        await using var gateway = await Gateway.StartAsync(_source.Url);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        gateway.Trouble = request => request.IsFor(image.Blobs[^1].Digest) ? new Trouble { Holds = release.Task } : null;
        await using var mirror = await ConfigureAsync(
            gateway.Url, "jobs: { copy: { from: source, to: target, repositories: [team/app] } }");
        await mirror.StartAsync();

        await using var command = mirror.StartCommand("sync", "run", "copy");
        await gateway.ReceivedAsync(request => request.IsFor(image.Blobs[^1].Digest));
        command.Interrupt();

        Assert.Equal(1, await command.ExitedAsync());
        Assert.Contains(
            "mirror: the server goes on with it: `mirror sync status` shows how far it is, `mirror sync stop copy` stops it",
            command.Lines);
        var running = Assert.Single(await StatusAsync(mirror));
        Assert.Equal("command", (string?)running!["running"]!["cause"]);
        Assert.Null(running["last"]);

        Assert.Equal("copy: stopped\n", (await mirror.CommandAsync("sync", "stop", "copy")).Succeeded().Output);

        var stopped = Assert.Single(await StatusAsync(mirror));
        Assert.Null(stopped!["running"]);
        Assert.Equal("stopped", (string?)stopped["last"]!["outcome"]);
        Assert.Empty(await PulledImage.ListTagsAsync(_target.Url, "team/app"));

        release.SetResult();
        (await mirror.CommandAsync("sync", "run", "copy")).Succeeded();
        await PulledImage.AssertAreThereAsync(_target.Url, image);
    }

    [FactWith("docker-registry")]
    public async Task What_is_pushed_to_a_registry_that_tells_of_it_is_copied_without_a_schedule()
    {
        await using var mirror = await ConfigureAsync(
            _source.Url,
            """
            events: { secret: the-tests-own-secret }, jobs: { copy: { from: source, to: target, repositories: ["team/**"] } }
            """);
        await mirror.StartAsync();
        await _source.RestartAsync(new Uri(mirror.Url, "/api/v1/events?registry=source"), "the-tests-own-secret");
        var image = PublishedImage.Of("team/app", "1.0", TestIndex.Create());

        await PublishedImage.PushAsync(_source.Url, image);

        await Poll.UntilAsync(
            async () => (await PulledImage.ListTagsAsync(_target.Url, "team/app")).Contains("1.0"), "what was pushed was not copied");
        await PulledImage.AssertAreThereAsync(_target.Url, image);
        await mirror.PrintsAsync("Job copy runs (event)");
    }

    private Task<MirrorProcess> ConfigureAsync(Uri source, string sync) => MirrorProcess.ConfigureAsync(
        $"source: {{ url: {source}, pullThrough: false }}, target: {{ url: {_target.Url}, pullThrough: false }}", sync);

    /// <summary>Of each job.</summary>
    private static async Task<JsonArray> StatusAsync(MirrorProcess mirror) =>
        JsonNode.Parse((await mirror.CommandAsync("sync", "status", "--json")).Output)!.AsArray();

    [GeneratedRegex(
        @"""PUT /v2/\S+/blobs/uploads/\S*digest=sha256(:|%3A)(?<digest>[0-9a-f]{64})\S* HTTP/1\.1"" 201 ",
        RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.IgnoreCase)]
    private static partial Regex FinishedUpload();
}
