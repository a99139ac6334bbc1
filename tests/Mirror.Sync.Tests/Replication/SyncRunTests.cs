using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Replication;

public sealed class SyncRunTests
{
    private static SyncJob Job { get; } = SyncScene.JobOf("org/app");

    [Theory]
    [InlineData(ImageFormat.Oci)]
    [InlineData(ImageFormat.Docker)]
    public async Task A_first_run_copies_images_and_indexes_byte_for_byte(ImageFormat format)
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(layers: 3, seed: 1, format: format), "1", "latest");
        scene.Source.Add(SyncScene.App, TestIndex.Create(layers: 2, layerSize: 2_000_000, seed: 2, format: format), "2");

        var report = await scene.RunAsync(Job);

        Assert.Equal(RunOutcome.Done, report.Run.Outcome);
        Assert.Empty(report.Missing);
        Assert.Equal(3, report.Run.Figures.Copied);
        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.App, "latest");
        scene.AssertCopied(SyncScene.App, "2");
        Assert.Equal(scene.Source.Requests.Count, report.Run.Figures.SourceRequests);
        Assert.Equal(scene.Target.Requests.Count, report.Run.Figures.TargetRequests);
        Assert.Empty(scene.State.Uploads);
    }

    [Fact]
    public async Task A_run_with_nothing_new_costs_a_listing_a_repository_a_HEAD_a_tag_and_the_target_nothing()
    {
        await using var scene = await SyncScene.StartAsync();
        var names = new[] { "org/a", "org/b", "org/c" };
        foreach (var (name, number) in names.Select((name, number) => (name, number)))
        {
            for (var tag = 0; tag < 20; tag++)
            {
                scene.Source.Add(RepositoryName.Parse(name), TestImage.Create(layerSize: 100, seed: (number * 100) + tag), $"v{tag}");
            }
        }

        var job = SyncScene.JobOf(names);
        var first = await scene.RunAsync(job);
        Assert.Equal(60, first.Run.Figures.Copied);

        scene.ClearRequests();
        var second = await scene.RunAsync(job);

        Assert.Equal((0, 60, RunOutcome.Done), (second.Run.Figures.Copied, second.Run.Figures.UpToDate, second.Run.Outcome));
        Assert.Equal(60, scene.Source.Requests.Count(request => request.Method == HttpMethod.Head));
        Assert.Equal(3, scene.Source.Requests.Count(request => request.Path.EndsWith("/tags/list", StringComparison.Ordinal)));
        Assert.Equal(63, scene.Source.Requests.Count);
        Assert.Empty(scene.Target.Requests);

        scene.ClearRequests();
        scene.ImmutableTags = [TagPattern.Parse("v*")];
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 999), "latest");
        await scene.RunAsync(job);
        Assert.Equal(3, scene.Source.Requests.Count);
        Assert.Empty(scene.Target.Requests);
    }

    [Fact]
    public async Task The_plan_says_what_has_moved_come_and_gone_and_the_run_does_that()
    {
        await using var scene = await SyncScene.StartAsync();
        var job = Job with { Delete = true, Tags = new TagSelection { Exclude = [FilterOf("*-rc")] } };
        foreach (var tag in new[] { "moved", "gone", "same" })
        {
            scene.Source.Add(SyncScene.App, TestImage.Create(seed: tag.Length + tag[0]), tag);
        }

        await scene.RunAsync(job);
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 70), "moved");
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 71), "new", "1-rc");
        scene.Source.Untag(SyncScene.App, "gone");
        scene.ClearRequests();

        var plan = await scene.PlanAsync(job);

        Assert.Equal(
            ["1-rc Filtered", "gone Delete", "moved Update", "new Copy", "same UpToDate"],
            plan.Tags.Select(tag => $"{tag.Tag} {tag.Action}").Order(StringComparer.Ordinal));
        Assert.All(scene.Target.Requests, request => Assert.Contains(request.Method, new[] { HttpMethod.Head, HttpMethod.Get }));

        var report = await scene.RunAsync(job);

        Assert.Equal((2, 1, 1), (report.Run.Figures.Copied, report.Run.Figures.UpToDate, report.Run.Figures.Deleted));
        scene.AssertCopied(SyncScene.App, "moved");
        scene.AssertCopied(SyncScene.App, "new");
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("gone")));
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("1-rc")));
        Assert.Null(scene.State.FindTag(job.Name, SyncScene.App, Tag.Parse("gone")));
    }

    [Fact]
    public async Task A_plan_says_how_much_it_copies_and_counts_what_is_shared_once()
    {
        await using var scene = await SyncScene.StartAsync();
        var index = TestIndex.Create(layerSize: 5000, seed: 1);
        scene.Source.Add(SyncScene.App, index, "index");
        scene.Source.Add(SyncScene.App, index.Images[0], "image");
        var image = index.Images[0].Blobs.Sum(blob => blob.Size) + index.Images[0].Manifest.Size;
        var other = index.Images[1].Blobs.Sum(blob => blob.Size) + index.Images[1].Manifest.Size;

        var plan = await scene.PlanAsync(Job);
        var amd64 = await scene.PlanAsync(Job with { Platforms = [new Platform("linux", "amd64")] });

        Assert.Equal([image, image + other + index.Manifest.Size], plan.Tags.Select(tag => tag.Size!.Value));
        Assert.Equal(image + other + index.Manifest.Size, plan.Size);
        Assert.Equal(image + index.Manifest.Size, amd64.Size);
        Assert.Empty(scene.State.ListRuns(null, 1));
    }

    [Fact]
    public async Task Layers_of_more_bytes_than_can_be_counted_make_a_plan_without_a_size()
    {
        await using var scene = await SyncScene.StartAsync();
        var json = System.Text.Json.Nodes.JsonNode.Parse(TestImage.Create(layers: 2, seed: 1).Manifest.Content.Span)!.AsObject();
        (json["layers"]![0]!["size"], json["layers"]![1]!["size"]) = (long.MaxValue, long.MaxValue);
        scene.Source.AddManifest(SyncScene.App, TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), MediaTypes.OciManifest), "1");

        var plan = await scene.PlanAsync(Job);

        Assert.Equal((null, null), (plan.Size, Assert.Single(plan.Tags).Size));
    }

    [Fact]
    public async Task Repositories_from_the_catalog_are_copied_under_their_new_names()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        scene.Source.Add(SyncScene.Tool, TestImage.Create(seed: 2), "1");
        scene.Source.Add(RepositoryName.Parse("other/app"), TestImage.Create(seed: 3), "1");
        var job = SyncScene.JobOf("*") with { From = SyncScene.Parse("source/org"), To = SyncScene.Parse("target/mirror") };

        var report = await scene.RunAsync(job);

        Assert.Equal((RunOutcome.Done, 2), (report.Run.Outcome, report.Run.Figures.Copied));
        Assert.NotNull(scene.Target.FindManifest(RepositoryName.Parse("mirror/app"), Tag.Parse("1")));
        Assert.NotNull(scene.Target.FindManifest(RepositoryName.Parse("mirror/tool"), Tag.Parse("1")));

        scene.Source.On(request => request.Path == "/v2/_catalog").Do(Behaviour.Status(401));
        var blind = await scene.RunAsync(job with { Repositories = [.. job.Repositories, .. SyncScene.JobOf("app").Repositories] });
        Assert.Equal((RunOutcome.Partly, 1), (blind.Run.Outcome, blind.Run.Figures.UpToDate));
        Assert.NotNull(scene.Target.FindManifest(RepositoryName.Parse("mirror/tool"), Tag.Parse("1")));
    }

    [Fact]
    public async Task The_newest_by_creation_are_copied_and_nobody_asks_twice_when_an_image_was_made()
    {
        await using var scene = await SyncScene.StartAsync();
        foreach (var (tag, year) in new[] { ("a", 2021), ("b", 2024), ("c", 2022), ("d", 2023) })
        {
            var image = TestImage.Create(layerSize: 100, seed: year);
            var config = TestBlob.Of(System.Text.Encoding.UTF8.GetBytes($"{{\"created\":\"{year}-05-01T10:00:00Z\"}}"), MediaTypes.OciConfig);
            var json = System.Text.Json.Nodes.JsonNode.Parse(image.Manifest.Content.Span)!.AsObject();
            (json["config"]!["digest"], json["config"]!["size"]) = (config.Digest.ToString(), config.Size);
            scene.Source.AddBlob(SyncScene.App, config);
            scene.Source.AddBlob(SyncScene.App, image.Layer);
            scene.Source.AddManifest(SyncScene.App, TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), MediaTypes.OciManifest), tag);
        }

        var job = Job with { Tags = new TagSelection { Newest = 2, By = NewestBy.Created } };
        var report = await scene.RunAsync(job);

        Assert.Equal(["b", "d"], report.Plan!.Tags.Where(tag => tag.Action == PlannedAction.Copy).Select(tag => tag.Tag.ToString()));
        scene.AssertCopied(SyncScene.App, "b");
        scene.ClearRequests();
        await scene.RunAsync(job);
        Assert.Equal(4, scene.Source.Requests.Count(request => request.Method == HttpMethod.Head));
        Assert.Equal(5, scene.Source.Requests.Count);
    }

    [Fact]
    public async Task Finding_the_newest_by_creation_leaves_the_reserve_of_the_quota_to_others()
    {
        await using var scene = await SyncScene.StartAsync();
        foreach (var tag in Enumerable.Range(1, 4))
        {
            scene.Source.Add(SyncScene.App, TestImage.Create(layerSize: 100, seed: tag), $"{tag}");
        }

        scene.Source.On(request => request.Path.Contains("/manifests/", StringComparison.Ordinal))
            .Do(Behaviour.Header("RateLimit-Limit", "100;w=21600"), Behaviour.Header("RateLimit-Remaining", "20;w=21600"));

        var report = await scene.RunAsync(Job with { Tags = new TagSelection { Newest = 2, By = NewestBy.Created } });

        Assert.Contains("reserve", Assert.Single(report.Missing).Why, StringComparison.Ordinal);
        Assert.DoesNotContain(
            scene.Source.Requests, request => request.Method == HttpMethod.Get && request.Path.Contains("/manifests/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_pushed_tag_is_copied_by_itself()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        scene.Source.Add(SyncScene.Tool, TestImage.Create(seed: 2), "1");

        var report = await scene.RunAsync(
            SyncScene.JobOf("org/*") with { Delete = true }, new RunScope { Repository = SyncScene.App, Tags = [Tag.Parse("2")] });

        Assert.Equal((RunOutcome.Done, 1), (report.Run.Outcome, report.Run.Figures.Copied));
        scene.AssertCopied(SyncScene.App, "2");
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("1")));
        Assert.Null(scene.State.FindVerified(Job.Name));
    }

    [Fact]
    public async Task A_pattern_that_matches_nothing_and_a_repository_that_is_no_longer_listed_are_said()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        await scene.RunAsync(SyncScene.JobOf("org/*"));
        var job = SyncScene.JobOf("team/*") with { Delete = true };

        var report = await scene.RunAsync(job);

        Assert.Equal(RunOutcome.Done, report.Run.Outcome);
        Assert.Equal(
            [
                "source lists no repository that team/* matches",
                "org/app: copied once, and no longer listed by source or selected by the job; what is at target stays",
            ],
            report.Plan!.Notes);
        scene.AssertCopied(SyncScene.App, "1");
        Assert.Empty((await scene.RunAsync(SyncScene.JobOf("org/*"))).Plan!.Notes);
    }

    [Fact]
    public async Task Who_asks_for_a_repository_that_the_job_does_not_copy_is_told_so()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");

        var report = await scene.RunAsync(Job, new RunScope { IsNamed = true, Repository = RepositoryName.Parse("app") });

        Assert.Equal(RunOutcome.Failed, report.Run.Outcome);
        Assert.Contains("copies no repository app", Assert.Single(report.Missing).Why, StringComparison.Ordinal);
        Assert.Empty(scene.Source.Requests);
    }

    [Fact]
    public async Task A_blob_of_many_images_is_sent_once_and_mounted_elsewhere()
    {
        await using var scene = await SyncScene.StartAsync();
        var shared = TestImage.Create(layers: 2, layerSize: 500_000, seed: 5);
        scene.Source.Add(SyncScene.App, shared, "1");
        scene.Source.Add(SyncScene.Tool, shared, "1");

        var report = await scene.RunAsync(SyncScene.JobOf("org/app", "org/tool"));

        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.All(shared.Blobs, blob => Assert.Equal(1, scene.TimesSent(blob)));
        Assert.All(shared.Blobs, blob => Assert.Equal(1, scene.Source.Count(HttpMethod.Get, blob.Digest)));
        Assert.Equal(3, report.Run.Figures.Mounted);
    }

    [Fact]
    public async Task A_target_that_mounts_nothing_gets_the_blob_again()
    {
        await using var scene = await SyncScene.StartAsync();
        var shared = TestImage.Create(seed: 5);
        scene.Source.Add(SyncScene.App, shared, "1");
        scene.Source.Add(SyncScene.Tool, shared, "1");
        scene.Target.Pushing = new PushOptions { Mounts = false };

        var report = await scene.RunAsync(SyncScene.JobOf("org/app", "org/tool"));

        Assert.Equal(RunOutcome.Done, report.Run.Outcome);
        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.Equal(0, report.Run.Figures.Mounted);
        Assert.Equal(0, scene.Target.UploadsInProgress);
    }

    [Fact]
    public async Task Jobs_that_overlap_send_no_blob_twice_and_a_job_that_runs_is_joined()
    {
        await using var scene = await SyncScene.StartAsync();
        var images = Enumerable.Range(0, 6).Select(number => TestImage.Create(layers: 2, layerSize: 300_000, seed: number)).ToList();
        images.ForEach(image => scene.Source.Add(SyncScene.App, image, $"v{images.IndexOf(image)}"));
        var gate = new Gate();
        scene.Source.On(HttpMethod.Get, images[0].Layer.Digest).Do(Behaviour.Stall(gate));

        var (first, isStarted) = scene.Runner.Start(Job, new(), "schedule");
        var (second, _) = scene.Runner.Start(Job with { Name = "other" }, new(), "command");
        var (joined, isStartedAgain) = scene.Runner.Start(Job, new(), "command");
        await scene.Source.Received(HttpMethod.Get, images[0].Layer.Digest);
        gate.Open();
        var reports = await Task.WhenAll(first.Completion, second.Completion);

        Assert.Equal((true, false), (isStarted, isStartedAgain));
        Assert.Same(first, joined);
        Assert.All(reports, report => Assert.Equal(RunOutcome.Done, report.Run.Outcome));
        Assert.All(images.SelectMany(image => image.Blobs), blob => Assert.Equal(1, scene.TimesSent(blob)));
        Assert.Empty(scene.Runner.Running);
    }

    [Fact]
    public async Task Jobs_in_opposite_directions_over_one_connection_each_do_not_wait_for_each_other_for_ever()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Restart(configure: options => options with { MaxConnections = 1 });
        var back = RepositoryName.Parse("back/app");
        for (var number = 0; number < 6; number++)
        {
            scene.Source.Add(SyncScene.App, TestImage.Create(layers: 3, layerSize: 200_000, seed: number), $"v{number}");
            scene.Target.Add(back, TestImage.Create(layers: 3, layerSize: 200_000, seed: 100 + number), $"v{number}");
        }

        var there = scene.RunAsync(Job);
        var here = scene.RunAsync(SyncScene.JobOf("back/app") with { Name = "back", From = SyncScene.Parse("target"), To = SyncScene.Parse("source") });

        Assert.Equal(6, (await there).Run.Figures.Copied);
        Assert.Equal(6, (await here).Run.Figures.Copied);
    }

    [Theory]
    [InlineData(true, 64, 1, 0)]
    [InlineData(false, 64, 1, 2)]
    [InlineData(false, 1, 0, 0)]
    public async Task Inside_one_registry_blobs_are_mounted_or_take_two_connections(bool mounts, int connections, int copied, int fetched)
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Restart(configure: options => options with { MaxConnections = connections });
        scene.Source.Pushing = new PushOptions { Mounts = mounts };
        var image = TestImage.Create(seed: 1);
        scene.Source.Add(SyncScene.App, image, "1");
        var job = SyncScene.JobOf("app") with { From = SyncScene.Parse("source/org"), To = SyncScene.Parse("source/copy") };

        var report = await scene.RunAsync(job);

        Assert.Equal(copied, report.Run.Figures.Copied);
        Assert.Equal(fetched, image.Blobs.Sum(blob => scene.Source.Count(HttpMethod.Get, blob.Digest)));
        Assert.Equal(copied == 1, scene.Source.FindManifest(RepositoryName.Parse("copy/app"), Tag.Parse("1")) is not null);
        Assert.All(report.Missing, missing => Assert.Contains("maxConnections", missing.Why, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_remembered_can_be_lost_and_nothing_is_copied_again()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestIndex.Create(seed: 1), "1");
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 2), "2");
        await scene.RunAsync(Job);
        scene.Restart(losesState: true);
        scene.ClearRequests();

        var report = await scene.RunAsync(Job);

        Assert.Equal((0, 2, 0L), (report.Run.Figures.Copied, report.Run.Figures.UpToDate, report.Run.Figures.Bytes));
        Assert.All(scene.Target.Requests, request => Assert.Contains(request.Method, new[] { HttpMethod.Head, HttpMethod.Get }));
        scene.ClearRequests();
        await scene.RunAsync(Job);
        Assert.Empty(scene.Target.Requests);
    }

    [Fact]
    public async Task A_target_that_was_changed_behind_our_back_is_found_by_a_full_run_and_in_time_by_any()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        await scene.RunAsync(Job);
        var other = TestImage.Create(seed: 2);
        scene.Target.Add(SyncScene.App, other, "1");

        Assert.Equal(0, (await scene.RunAsync(Job)).Run.Figures.Copied);
        Assert.Equal(1, (await scene.RunAsync(Job, new RunScope { IsFull = true })).Run.Figures.Copied);
        scene.AssertCopied(SyncScene.App, "1");

        scene.Target.Add(SyncScene.App, other, "1");
        scene.Time.Advance(Job.Verify);
        Assert.Equal(1, (await scene.RunAsync(Job)).Run.Figures.Copied);
        scene.AssertCopied(SyncScene.App, "1");
    }

    [Fact]
    public async Task A_tag_that_fails_again_and_again_does_not_make_every_run_a_full_one()
    {
        await using var scene = await SyncScene.StartAsync();
        var bad = TestImage.Create(seed: 2);
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "good");
        scene.Source.Add(SyncScene.App, bad, "bad");
        scene.Source.On(HttpMethod.Get, bad.Layer.Digest).Do(Behaviour.WrongBytes());
        var job = SyncScene.JobOf("org/app", "org/none");
        Assert.Equal(2, (await scene.RunAsync(job)).Missing.Count);
        scene.ClearRequests();

        Assert.False((await scene.RunAsync(job)).Plan!.IsFull);

        Assert.DoesNotContain(scene.Target.Requests, request => request.Path.EndsWith("/manifests/good", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_full_run_could_not_bring_back_is_asked_for_by_the_next()
    {
        await using var scene = await SyncScene.StartAsync();
        var (lost, changed) = (TestImage.Create(seed: 1), TestImage.Create(seed: 3));
        scene.Source.Add(SyncScene.App, lost, "1");
        scene.Source.Add(SyncScene.Tool, changed, "1");
        var job = SyncScene.JobOf("org/app", "org/tool");
        await scene.RunAsync(job);
        scene.Target.Add(SyncScene.App, TestImage.Create(seed: 2), "1");
        scene.Target.Add(SyncScene.Tool, TestImage.Create(seed: 2), "1");
        scene.Target.Remove(SyncScene.App, lost.Digest);
        scene.Source.On(HttpMethod.Get, lost.Digest).Do(Behaviour.Status(403));
        scene.Source.On(request => request.Path.EndsWith("/org/tool/tags/list", StringComparison.Ordinal)).Do(Behaviour.Status(403));
        Assert.Equal(2, (await scene.RunAsync(job, new RunScope { IsFull = true })).Missing.Count);
        scene.Source.Behave();

        var report = await scene.RunAsync(job);

        Assert.Equal((false, 2), (report.Plan!.IsFull, report.Run.Figures.Copied));
        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.Tool, "1");
    }

    [Fact]
    public async Task What_was_verified_in_the_future_by_a_clock_that_was_wrong_is_verified_again()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        await scene.RunAsync(Job);
        scene.Time.SetClock(-TimeSpan.FromDays(1000));

        Assert.True((await scene.RunAsync(Job)).Plan!.IsFull);
        Assert.False((await scene.RunAsync(Job)).Plan!.IsFull);
    }

    [Fact]
    public async Task A_tag_that_somebody_else_has_moved_at_the_target_while_a_run_went_on_is_not_deleted()
    {
        await using var scene = await SyncScene.StartAsync();
        var (slow, other) = (TestImage.Create(seed: 2), TestImage.Create(seed: 3));
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "old", "same");
        await scene.RunAsync(Job with { Delete = true });
        scene.Source.Untag(SyncScene.App, "old");
        scene.Source.Add(SyncScene.App, slow, "slow");
        var gate = new Gate();
        scene.Source.On(HttpMethod.Get, slow.Layer.Digest).Times(1).Do(Behaviour.Stall(gate));
        var (run, _) = scene.Runner.Start(Job with { Delete = true }, new(), "command");
        await scene.Source.Received(HttpMethod.Get, slow.Layer.Digest);
        scene.Target.Add(SyncScene.App, other, "old");
        gate.Open();

        var report = await run.Completion;

        Assert.Contains("something else by now", Assert.Single(report.Missing).Why, StringComparison.Ordinal);
        Assert.Equal(other.Digest, scene.Target.FindManifest(SyncScene.App, Tag.Parse("old"))!.Digest);
    }

    [Fact]
    public async Task A_full_run_gives_an_index_back_what_the_target_has_lost_of_it()
    {
        await using var scene = await SyncScene.StartAsync();
        var index = TestIndex.Create(seed: 1);
        scene.Source.Add(SyncScene.App, index, "1");
        await scene.RunAsync(Job);
        scene.Target.Remove(SyncScene.App, index.Images[1].Digest);
        scene.Target.Remove(SyncScene.App, index.Images[1].Layer.Digest);

        Assert.Empty((await scene.RunAsync(Job, new RunScope { IsFull = true })).Missing);

        scene.AssertCopied(SyncScene.App, "1");
    }

    [Fact]
    public async Task Stopped_at_whatever_request_it_goes_on_and_sends_no_blob_that_is_there()
    {
        await using var scene = await SyncScene.StartAsync();
        var indexes = Enumerable.Range(0, 3).Select(number => TestIndex.Create(layers: 2, layerSize: 1_500_000, seed: number)).ToList();
        indexes.ForEach(index => scene.Source.Add(SyncScene.App, index, $"v{indexes.IndexOf(index)}"));
        RunOutcome outcome;
        var runs = 0;
        do
        {
            var stopAt = scene.Target.Requests.Count + 9 + runs++;
            var (run, _) = scene.Runner.Start(Job, new(), "command");
            var reached = scene.Target.Received(_ => true, stopAt);
            await Task.WhenAny(run.Completion, reached);
            run.Stop();
            outcome = (await run.Completion).Run.Outcome;
            // As the process that has been killed would: nothing is remembered but what was written.
            scene.Restart();
            foreach (var tag in indexes.Select((_, number) => Tag.Parse($"v{number}")))
            {
                if (scene.Target.FindManifest(SyncScene.App, tag) is { } manifest)
                {
                    scene.AssertWhole(SyncScene.App, manifest);
                }
            }
        }
        while (outcome == RunOutcome.Stopped && runs < 100);

        Assert.Equal(RunOutcome.Done, outcome);
        Assert.True(runs > 3);
        var stored = scene.Target.Requests.Where(request =>
            request.Method == HttpMethod.Put && request.Status == 201 && request.Path.Contains("/blobs/", StringComparison.Ordinal));
        Assert.All(stored.GroupBy(request => request.Query.Split("digest=")[^1]), group => Assert.Single(group));
        indexes.ForEach(index => scene.AssertCopied(SyncScene.App, $"v{indexes.IndexOf(index)}"));
    }

    [Fact]
    public async Task A_run_that_is_stopped_leaves_no_tag_that_is_not_whole_and_the_next_does_the_rest()
    {
        await using var scene = await SyncScene.StartAsync();
        var image = TestImage.Create(layers: 2, layerSize: 100_000, seed: 1);
        scene.Source.Add(SyncScene.App, image, "1");
        scene.Source.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.Stall());
        var (run, _) = scene.Runner.Start(Job, new(), "command");
        await scene.Source.Received(HttpMethod.Get, image.Layer.Digest);

        run.Stop();

        Assert.Equal(RunOutcome.Stopped, (await run.Completion).Run.Outcome);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("1")));
        Assert.Equal(RunOutcome.Done, (await scene.RunAsync(Job)).Run.Outcome);
        scene.AssertCopied(SyncScene.App, "1");
    }

    [Fact]
    public async Task Whatever_a_follower_misses_it_is_told_each_tag_that_is_done()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        var gate = new Gate();
        scene.Source.On(request => request.Path.EndsWith("/tags/list", StringComparison.Ordinal)).Do(Behaviour.Stall(gate));
        var (run, _) = scene.Runner.Start(Job, new(), "command");
        var told = new List<string>();
        using var following = run.Follow(result => told.Add($"{result.Tag.Tag} {result.Why}"));
        gate.Open();

        await run.Completion;

        Assert.Equal(["1 ", "2 "], told.Order(StringComparer.Ordinal));
        Assert.Equal(2, run.Progress.TagsDone);
        Assert.Equal(run.Progress.BytesRead, run.Progress.BytesSent);
    }

    private static TagFilter FilterOf(string text) =>
        TagFilter.TryParse(text, out var filter, out var fault) ? filter : throw new FormatException(fault);
}
