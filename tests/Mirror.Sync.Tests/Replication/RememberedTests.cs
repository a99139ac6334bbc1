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
}
