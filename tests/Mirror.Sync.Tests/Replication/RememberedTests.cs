using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Replication;

/// <summary>What is remembered is believed of what it was about, and of nothing else.</summary>
public sealed class RememberedTests
{
    private static readonly RepositoryName Elsewhere = RepositoryName.Parse("mirror/org/app");

    private static SyncJob Job { get; } = SyncScene.JobOf("org/app") with { Delete = true };

    [Fact]
    public async Task A_job_that_gets_another_path_copies_there_and_deletes_nothing_where_it_copied_before()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        await scene.RunAsync(Job);
        scene.Source.Untag(SyncScene.App, "2");
        scene.ImmutableTags = [TagPattern.Parse("*")];

        var report = await scene.RunAsync(Job with { To = SyncScene.Parse("target/mirror") });

        Assert.Equal((RunOutcome.Done, 1, 0), (report.Run.Outcome, report.Run.Figures.Copied, report.Run.Figures.Deleted));
        Assert.NotNull(scene.Target.FindManifest(Elsewhere, Tag.Parse("1")));
        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
        scene.ClearRequests();
        await scene.RunAsync(Job with { To = SyncScene.Parse("target/mirror") });
        Assert.Empty(scene.Target.Requests);
    }

    [Theory]
    [InlineData("target")]
    [InlineData("source")]
    public async Task A_registry_that_has_moved_is_another_registry(string moved)
    {
        await using var scene = await SyncScene.StartAsync();
        await using var other = await FakeRegistry.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        other.Add(SyncScene.App, TestImage.Create(seed: 2), "1");
        await scene.RunAsync(Job);
        scene.ImmutableTags = [TagPattern.Parse("*")];
        scene.Restart(configure: options => options.Name == moved ? options with { Url = other.Url } : options);

        var report = await scene.RunAsync(Job);

        var (source, target) = moved == "source" ? (other, scene.Target) : (scene.Source, other);
        Assert.Equal((RunOutcome.Done, 0), (report.Run.Outcome, report.Run.Figures.Deleted));
        Assert.Equal(
            source.FindManifest(SyncScene.App, Tag.Parse("1"))!.Digest, target.FindManifest(SyncScene.App, Tag.Parse("1"))!.Digest);
        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
    }

    [Theory]
    [InlineData(IndexMode.Sparse)]
    [InlineData(IndexMode.Rewrite)]
    public async Task A_job_that_gets_more_platforms_brings_them_and_less_is_not_copied_again(IndexMode mode)
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Target.Pushing = new PushOptions { TakesSparse = true };
        var index = TestIndex.Create(seed: 1);
        scene.Source.Add(SyncScene.App, index, "1");
        var arm = Job with { Platforms = [new Platform("linux", "arm64")], Index = mode };
        await scene.RunAsync(arm);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, index.Images[0].Digest));

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        Assert.Equal(0, (await scene.RunAsync(arm)).Run.Figures.Bytes);
        scene.ClearRequests();
        await scene.RunAsync(arm with { Platforms = [.. arm.Platforms] });
        Assert.Empty(scene.Target.Requests);
    }

    [Fact]
    public async Task What_was_put_for_other_platforms_still_goes_when_it_is_gone_at_the_source()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        await scene.RunAsync(Job);
        scene.Source.Untag(SyncScene.App, "2");

        var report = await scene.RunAsync(Job with { Platforms = [new Platform("linux", "amd64")] });

        Assert.Equal(1, report.Run.Figures.Deleted);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("2")));
        Assert.Equal(PlannedAction.UpToDate, Assert.Single(report.Plan!.Tags, tag => tag.Tag == Tag.Parse("1")).Action);
    }

    [Fact]
    public async Task A_blob_that_an_earlier_run_has_sent_is_mounted()
    {
        await using var scene = await SyncScene.StartAsync();
        var shared = TestImage.Create(layers: 2, layerSize: 500_000, seed: 5);
        scene.Source.Add(SyncScene.App, shared, "1");
        scene.Source.Add(SyncScene.Tool, shared, "1");
        await scene.RunAsync(Job);
        scene.Restart();

        var report = await scene.RunAsync(SyncScene.JobOf("org/tool") with { Name = "other" });

        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.All(shared.Blobs, blob => Assert.Equal(1, scene.TimesSent(blob)));
        Assert.Equal((3, 0, 0L), (report.Run.Figures.Mounted, report.Run.Figures.Blobs, report.Run.Figures.Bytes));
    }

    [Fact]
    public async Task A_blob_that_was_sent_before_a_run_ended_in_the_middle_is_mounted_where_the_next_one_needs_it_first()
    {
        await using var scene = await SyncScene.StartAsync();
        var shared = TestImage.Create(layers: 2, layerSize: 500_000, seed: 5);
        scene.Source.Add(SyncScene.App, shared, "1");
        scene.Source.Add(SyncScene.Tool, shared, "1");
        scene.Source.On(HttpMethod.Get, shared.Layers[1].Digest).Times(1).Do(Behaviour.Stall());
        var (run, _) = scene.Runner.Start(Job, new(), "command");
        await scene.Source.Received(HttpMethod.Get, shared.Layers[1].Digest);
        await Poll.UntilAsync(
            () => scene.Target.FindBlob(SyncScene.App, shared.Layers[0].Digest) is not null, "the first layer has not arrived");
        run.Stop();
        await run.Completion;
        scene.Restart();

        Assert.Empty((await scene.RunAsync(SyncScene.JobOf("org/tool") with { Name = "other" })).Missing);
        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.All(shared.Blobs, blob => Assert.Equal(1, scene.TimesSent(blob)));
    }

    [Fact]
    public async Task A_place_that_is_wrong_is_forgotten_and_costs_nothing()
    {
        await using var scene = await SyncScene.StartAsync();
        var shared = TestImage.Create(layerSize: 500_000, seed: 5);
        scene.Source.Add(SyncScene.App, shared, "1");
        scene.Source.Add(SyncScene.Tool, shared, "1");
        await scene.RunAsync(Job);
        scene.Target.Remove(SyncScene.App, shared.Layer.Digest);
        scene.Restart();

        Assert.Empty((await scene.RunAsync(SyncScene.JobOf("org/tool") with { Name = "other" })).Missing);

        scene.AssertCopied(SyncScene.Tool, "1");
        Assert.Equal(2, scene.TimesSent(shared.Layer));
        Assert.Equal(0, scene.Target.UploadsInProgress);
        Assert.Equal(SyncScene.Tool, scene.State.FindPlace("target", shared.Layer.Digest));
    }
}
