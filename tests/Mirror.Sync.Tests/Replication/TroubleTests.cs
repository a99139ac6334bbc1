using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Replication;

public sealed class TroubleTests
{
    private const int MiB = 1024 * 1024;

    private const int Size = 3 * MiB;

    private static SyncJob Job { get; } = SyncScene.JobOf("org/app");

    private static SyncJob Both { get; } = SyncScene.JobOf("org/app", "org/tool");

    private static TestImage Image { get; } = TestImage.Create(layerSize: Size, seed: 1);

    [Fact]
    public async Task A_blob_that_is_corrupted_on_the_way_is_never_stored_and_its_tag_never_put()
    {
        await using var scene = await SyncScene.StartAsync();
        var (bad, good) = (TestImage.Create(layerSize: 2 * MiB, seed: 1), TestImage.Create(seed: 2));
        scene.Source.Add(SyncScene.App, bad, "bad");
        scene.Source.Add(SyncScene.App, good, "good");
        scene.Source.On(HttpMethod.Get, bad.Layer.Digest).Do(Behaviour.WrongBytes(1_500_000));

        var report = await scene.RunAsync(Job);

        Assert.Equal(RunOutcome.Partly, report.Run.Outcome);
        var missing = Assert.Single(report.Missing);
        Assert.Equal("bad", missing.Tag.ToString());
        Assert.Contains(bad.Layer.Digest.ToString(), missing.Why, StringComparison.Ordinal);
        Assert.Null(scene.Target.FindBlob(SyncScene.App, bad.Layer.Digest));
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("bad")));
        scene.AssertCopied(SyncScene.App, "good");
        Assert.Equal(1, scene.State.FindTag(Job.Name, SyncScene.App, Tag.Parse("bad"))!.Failures);

        scene.Source.Behave();
        Assert.Equal(RunOutcome.Done, (await scene.RunAsync(Job)).Run.Outcome);
        scene.AssertCopied(SyncScene.App, "bad");
        Assert.Equal(0, scene.State.FindTag(Job.Name, SyncScene.App, Tag.Parse("bad"))!.Failures);
    }

    [Fact]
    public async Task A_target_that_fails_on_every_third_request_gets_everything()
    {
        await using var scene = await SyncScene.StartAsync();
        for (var number = 0; number < 8; number++)
        {
            scene.Source.Add(SyncScene.App, TestImage.Create(layers: 2, layerSize: 1000, seed: number), $"v{number}");
        }

        scene.Target.On(request => request.Number % 3 == 0).Do(Behaviour.Status(500));

        var report = await scene.RunAsync(Job);

        Assert.Empty(report.Missing);
        for (var number = 0; number < 8; number++)
        {
            scene.AssertCopied(SyncScene.App, $"v{number}");
        }
    }

    [Fact]
    public async Task Uploads_that_are_dropped_go_on_and_are_finished()
    {
        await using var scene = await SyncScene.StartAsync();
        var image = TestImage.Create(layers: 2, layerSize: 3 * MiB, seed: 1);
        scene.Source.Add(SyncScene.App, image, "1");
        scene.Target.On(HttpMethod.Patch).Times(3).Do(Behaviour.DropAfter(MiB));

        var report = await scene.RunAsync(Job);

        Assert.Empty(report.Missing);
        scene.AssertCopied(SyncScene.App, "1");
        Assert.Empty(scene.State.Uploads);
    }

    [Theory]
    [InlineData("org/app", "org/tool")]
    [InlineData("org/tool", "org/app")]
    public async Task An_upload_goes_on_after_a_restart_where_the_target_stands_whichever_repository_comes_first_now(string first, string last)
    {
        await using var scene = await SyncScene.StartAsync();
        var saved = await StopInUploadAsync(scene);
        var gate = new Gate();
        scene.Source.On(request => request.Method == HttpMethod.Get && request.Path.StartsWith($"/v2/{last}/manifests/", StringComparison.Ordinal))
            .Do(Behaviour.Stall(gate));

        var run = scene.RunAsync(Both);
        await Poll.UntilAsync(() => scene.Target.FindManifest(RepositoryName.Parse(first), Tag.Parse("1")) is not null, $"{first} has not come");
        gate.Open();

        Assert.Empty((await run).Missing);
        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.Equal(Size - saved.Upload.Offset, BytesSent(scene));
        Assert.Empty(scene.State.Uploads);
        Assert.Equal(0, scene.Target.UploadsInProgress);
    }

    [Fact]
    public async Task An_upload_goes_on_when_the_target_is_back()
    {
        await using var scene = await SyncScene.StartAsync();
        var saved = await StopInUploadAsync(scene);
        scene.Target.On(request => request.Path.Contains("/blobs/", StringComparison.Ordinal)).Do(Behaviour.RefuseUnread(403));
        Assert.Equal(RunOutcome.Failed, (await scene.RunAsync(Both)).Run.Outcome);
        Assert.Equal(saved, Assert.Single(scene.State.Uploads));
        scene.Target.Behave();

        Assert.Empty((await scene.RunAsync(Both)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.Equal(Size - saved.Upload.Offset, BytesSent(scene));
    }

    [Theory]
    [InlineData("PATCH", 500)]
    [InlineData("PUT", 500)]
    [InlineData("HEAD", 400)]
    [InlineData("GET", 403)]
    [InlineData("PATCH", 404)]
    public async Task A_repository_that_fails_at_the_target_keeps_no_other_from_getting_the_blob(string method, int status)
    {
        await using var scene = await SyncScene.StartAsync();
        await StopInUploadAsync(scene);
        scene.Target.On(request => request.Method.Method == method && request.Path.StartsWith($"/v2/{SyncScene.App}/blobs/", StringComparison.Ordinal))
            .Do(Behaviour.RefuseUnread(status));

        var report = await scene.RunAsync(Both);

        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.DoesNotContain(report.Missing, missing => missing.Repository?.Target == SyncScene.Tool);
    }

    [Fact]
    public async Task A_repository_that_has_the_blob_waits_for_no_upload_to_another()
    {
        await using var scene = await SyncScene.StartAsync();
        await StopInUploadAsync(scene);
        scene.Target.Add(SyncScene.Tool, Image, "0");
        scene.Target.On(request => request.Path.StartsWith($"/v2/{SyncScene.App}/blobs/uploads/", StringComparison.Ordinal))
            .Do(Behaviour.RefuseUnread(500));

        await scene.RunAsync(Both);

        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.Equal(0, BytesSent(scene));
    }

    [Fact]
    public async Task Nothing_goes_on_to_where_no_job_copies_any_more()
    {
        await using var scene = await SyncScene.StartAsync();
        await StopInUploadAsync(scene);

        Assert.Empty((await scene.RunAsync(SyncScene.JobOf("org/tool"))).Missing);

        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.Null(scene.Target.FindBlob(SyncScene.App, Image.Layer.Digest));
        Assert.DoesNotContain(scene.Target.Requests, request => request.Path.StartsWith($"/v2/{SyncScene.App}/", StringComparison.Ordinal));
        Assert.Empty(scene.State.Uploads);
    }

    [Fact]
    public async Task An_upload_whose_blob_has_come_from_elsewhere_meanwhile_is_forgotten()
    {
        await using var scene = await SyncScene.StartAsync();
        await StopInUploadAsync(scene);
        scene.Target.Add(SyncScene.App, Image);

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        Assert.Equal(0, BytesSent(scene));
        Assert.Empty(scene.State.Uploads);
    }

    [Fact]
    public async Task Tokens_that_end_in_the_middle_end_nothing()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Restart(configure: options => options with { Credentials = new BasicCredentials("user", "secret") });
        scene.Source.RequireTokens("user", "secret");
        scene.Target.RequireTokens("user", "secret");
        var images = Enumerable.Range(0, 6).Select(number => TestImage.Create(layers: 2, layerSize: 2 * MiB, seed: number)).ToList();
        images.ForEach(image => scene.Source.Add(SyncScene.App, image, $"v{images.IndexOf(image)}"));
        var gate = new Gate();
        scene.Source.On(HttpMethod.Get, images[3].Layer.Digest).Times(1).Do(Behaviour.Stall(gate));

        var run = scene.RunAsync(Job);
        await scene.Source.Received(HttpMethod.Get, images[3].Layer.Digest);
        scene.Source.ExpireTokens();
        scene.Target.ExpireTokens();
        gate.Open();
        var report = await run;

        Assert.Empty(report.Missing);
        images.ForEach(image => scene.AssertCopied(SyncScene.App, $"v{images.IndexOf(image)}"));
    }

    [Fact]
    public async Task A_source_that_wants_to_be_left_alone_is_and_then_the_run_goes_on()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        scene.Source.On(request => request.Path.Contains("/blobs/", StringComparison.Ordinal)).Times(1)
            .Do(Behaviour.Status(429, null, ("Retry-After", "60")));

        var run = scene.RunAsync(Job);
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(60));
        scene.Time.Advance(TimeSpan.FromSeconds(60));

        Assert.Empty((await run).Missing);
        scene.AssertCopied(SyncScene.App, "1");
    }

    [Fact]
    public async Task A_source_that_wants_to_be_left_alone_for_long_ends_the_run_in_part_with_what_is_missing()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        await scene.RunAsync(Job);
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 2), "2");
        scene.Source.On(request => request.Path.Contains("/blobs/", StringComparison.Ordinal)).Do(Behaviour.Status(429, null, ("Retry-After", "900")));

        var report = await scene.RunAsync(Job);

        Assert.Equal(RunOutcome.Partly, report.Run.Outcome);
        Assert.Equal("2", Assert.Single(report.Missing).Tag.ToString());
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
    }

    [Fact]
    public async Task The_quotas_reserve_is_left_and_the_run_says_when_it_goes_on()
    {
        await using var scene = await SyncScene.StartAsync();
        for (var number = 0; number < 6; number++)
        {
            scene.Source.Add(SyncScene.App, TestImage.Create(layerSize: 100, seed: number), $"v{number}");
        }


        for (var left = 23; left > 0; left--)
        {
            scene.Source.On(request => request.Method == HttpMethod.Get && request.Path.Contains("/manifests/", StringComparison.Ordinal)).Times(1)
                .Do(Behaviour.Header("RateLimit-Limit", "100;w=21600"), Behaviour.Header("RateLimit-Remaining", $"{left};w=21600"));
        }

        var report = await scene.RunAsync(Job with { Parallel = 1 });

        var fetched = scene.Source.Requests.Count(request => request.Method == HttpMethod.Get && request.Path.Contains("/manifests/", StringComparison.Ordinal));
        Assert.Equal((RunOutcome.Partly, 4, 4), (report.Run.Outcome, fetched, report.Run.Figures.Copied));
        Assert.Equal(scene.Time.GetUtcNow().AddHours(6), report.GoesOnAt);
        Assert.Equal(2, report.Missing.Count);
        Assert.All(report.Missing, missing => Assert.Contains("06:00 UTC", missing.Why, StringComparison.Ordinal));

        scene.Time.Advance(TimeSpan.FromHours(6));
        Assert.Equal(2, (await scene.RunAsync(Job with { Parallel = 1, Reserve = 0 })).Run.Figures.Copied);
    }

    [Fact]
    public async Task A_target_that_lost_what_it_says_it_has_gets_it_again()
    {
        await using var scene = await SyncScene.StartAsync();
        var image = TestImage.Create(layers: 2, seed: 1);
        scene.Source.Add(SyncScene.App, image, "1");
        await scene.RunAsync(Job);
        scene.Target.Remove(SyncScene.App, image.Layer.Digest);
        scene.Source.Tag(SyncScene.App, "2", image.Digest);

        var report = await scene.RunAsync(Job);

        Assert.Empty(report.Missing);
        scene.AssertCopied(SyncScene.App, "2");
    }

    [Fact]
    public async Task A_listing_that_fails_or_is_empty_deletes_nothing()
    {
        await using var scene = await SyncScene.StartAsync();
        var job = Job with { Delete = true };
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        await scene.RunAsync(job);
        scene.Source.Untag(SyncScene.App, "2");
        var listing = (RecordedRequest request) => request.Path.EndsWith("/tags/list", StringComparison.Ordinal);
        var answers = new[]
        {
            Behaviour.Status(404, """{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"""),
            Behaviour.Status(403),
            Behaviour.Status(200, """{"name":"org/app","tags":null}"""),
            Behaviour.Status(200, """{"name":"org/app"""),
            Behaviour.Status(200, """{"name":"org/app","tags":["1"]}""", ("Link", "<http://elsewhere.example/v2/org/app/tags/list?n=1>; rel=\"next\"")),
        };
        foreach (var answer in answers)
        {
            scene.Source.Behave();
            scene.Source.On(listing).Do(answer);

            var report = await scene.RunAsync(job);

            Assert.Equal(RunOutcome.Failed, report.Run.Outcome);
            Assert.NotEmpty(report.Missing);
            Assert.NotNull(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
        }

        scene.Source.Behave();
        Assert.Equal(1, (await scene.RunAsync(job)).Run.Figures.Deleted);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
    }

    [Fact]
    public async Task More_than_the_limit_is_deleted_only_when_a_run_is_told_so()
    {
        await using var scene = await SyncScene.StartAsync();
        var job = Job with { Delete = true };
        var tags = Enumerable.Range(0, 10).Select(number => $"v{number}").ToList();
        tags.ForEach(tag => scene.Source.Add(SyncScene.App, TestImage.Create(layerSize: 100, seed: tag[1]), tag));
        await scene.RunAsync(job);
        scene.Source.Untag(SyncScene.App, "v1");
        scene.Source.Untag(SyncScene.App, "v2");

        var held = await scene.RunAsync(job);

        Assert.Equal((RunOutcome.Partly, 0), (held.Run.Outcome, held.Run.Figures.Deleted));
        var why = Assert.Single(held.Missing).Why;
        Assert.Contains("deleteLimit: 10%", why, StringComparison.Ordinal);
        Assert.Contains("`mirror sync run job --exceed-delete-limit`", why, StringComparison.Ordinal);
        Assert.Equal(2, held.Plan!.Count(PlannedAction.Keep));
        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, Tag.Parse("v1")));

        var allowed = await scene.RunAsync(job, new RunScope { MayDeleteMore = true });

        Assert.Equal((RunOutcome.Done, 2), (allowed.Run.Outcome, allowed.Run.Figures.Deleted));
    }

    [Fact]
    public async Task A_target_that_deletes_manifests_alone_loses_the_tag_and_no_other_of_the_same_image()
    {
        await using var scene = await SyncScene.StartAsync();
        var job = Job with { Delete = true };
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2", "3");
        await scene.RunAsync(job);
        scene.Source.Untag(SyncScene.App, "2");
        scene.Source.Untag(SyncScene.App, "3");
        scene.Target.On(request => request.Method == HttpMethod.Delete && !request.Path.Contains("/sha256:", StringComparison.Ordinal))
            .Do(Behaviour.RefuseUnread(400, """{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}"""));
        // As a process that was killed there leaves it.
        var standIn = TagStandIn.Of(SyncScene.App, Tag.Parse("3"));
        scene.Target.AddManifest(SyncScene.App, TestBlob.Of(standIn.Content.ToArray(), standIn.MediaType), "3");

        var report = await scene.RunAsync(job with { DeleteLimit = DeleteLimit.TryParse("2", out var two) ? two : default });

        Assert.Equal((RunOutcome.Done, 2), (report.Run.Outcome, report.Run.Figures.Deleted));
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("3")));
        scene.AssertCopied(SyncScene.App, "1");
    }

    [Fact]
    public async Task A_target_that_deletes_nothing_keeps_its_tags_as_they_are_and_the_run_says_why()
    {
        await using var scene = await SyncScene.StartAsync();
        var job = Job with { Delete = true };
        var image = TestImage.Create(seed: 1);
        scene.Source.Add(SyncScene.App, image, "1", "2");
        await scene.RunAsync(job);
        scene.Source.Untag(SyncScene.App, "2");
        scene.Target.On(request => request.Method == HttpMethod.Delete)
            .Do(Behaviour.RefuseUnread(405, """{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"""));

        var report = await scene.RunAsync(job);

        Assert.Equal((RunOutcome.Partly, 0), (report.Run.Outcome, report.Run.Figures.Deleted));
        Assert.Contains("deletes have to be enabled there", Assert.Single(report.Missing).Why, StringComparison.Ordinal);
        Assert.Equal(image.Digest, scene.Target.FindManifest(SyncScene.App, Tag.Parse("2"))!.Digest);
    }

    [Fact]
    public async Task A_refusal_says_as_whom_the_registry_was_asked()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        scene.Target.RequireBasic("robot", "right");
        scene.Restart(configure: options => options.Name == "target" ? options with { Credentials = new BasicCredentials("robot", "wrong") } : options);

        var report = await scene.RunAsync(Job);

        Assert.Equal(RunOutcome.Failed, report.Run.Outcome);
        Assert.All(report.Missing, missing => Assert.Contains("asked as user robot", missing.Why, StringComparison.Ordinal));
        Assert.DoesNotContain("wrong", report.Run.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_fails_for_one_reason_has_it_said_once()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2", "3");
        scene.Source.Add(SyncScene.Tool, TestImage.Create(seed: 2), "1");
        scene.Target.On(request => request.Path.StartsWith($"/v2/{SyncScene.App}/", StringComparison.Ordinal)).Do(Behaviour.Status(403));

        var report = await scene.RunAsync(SyncScene.JobOf("org/app", "org/none", "org/tool"));

        Assert.Equal(4, report.Missing.Count);
        var reasons = report.Run.Why!.Split("; ");
        Assert.Equal(2, reasons.Length);
        Assert.Matches("^org/app:[123] and 2 more: ", reasons.Single(reason => reason.StartsWith("org/app", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_somebody_else_has_put_there_is_not_deleted()
    {
        await using var scene = await SyncScene.StartAsync();
        var job = Job with { Delete = true };
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        await scene.RunAsync(job);
        scene.Source.Untag(SyncScene.App, "2");
        scene.Target.Add(SyncScene.App, TestImage.Create(seed: 7), "2");
        scene.Target.Add(SyncScene.App, TestImage.Create(seed: 8), "theirs");

        var report = await scene.RunAsync(job);

        Assert.Equal(0, report.Run.Figures.Deleted);
        Assert.Equal(PlannedAction.Keep, report.Plan!.Tags.Single(tag => tag.Tag.ToString() == "2").Action);
        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, Tag.Parse("theirs")));
    }

    [Fact]
    public async Task One_repository_that_fails_does_not_hold_up_the_others()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");

        var report = await scene.RunAsync(SyncScene.JobOf("org/app", "org/none"));

        Assert.Equal(RunOutcome.Partly, report.Run.Outcome);
        Assert.Equal("org/none", Assert.Single(report.Missing).Repository!.Value.Source.ToString());
        scene.AssertCopied(SyncScene.App, "1");
    }

    /// <summary>An image is in two repositories. Its copy into the first is stopped when two thirds of its layer have arrived.</summary>
    private static async Task<UploadState> StopInUploadAsync(SyncScene scene)
    {
        scene.Source.Add(SyncScene.App, Image, "1");
        scene.Source.Add(SyncScene.Tool, Image, "1");
        scene.Source.On(HttpMethod.Get, Image.Layer.Digest).Times(1).Do(Behaviour.StallAfter(2 * MiB));
        scene.Restart(configure: options => options with { UploadChunk = MiB });
        var (run, _) = scene.Runner.Start(Job, new(), "command");
        await Poll.UntilAsync(() => scene.State.Uploads.Any(upload => upload.Upload.Offset == 2 * MiB), "two chunks have not arrived");
        run.Stop();
        await run.Completion;
        scene.Restart(configure: options => options with { UploadChunk = MiB });
        scene.ClearRequests();
        return Assert.Single(scene.State.Uploads);
    }

    private static long BytesSent(SyncScene scene) =>
        scene.Target.Requests.Where(request => request.Method == HttpMethod.Patch).Sum(request => (long)request.Received.Length);
}
