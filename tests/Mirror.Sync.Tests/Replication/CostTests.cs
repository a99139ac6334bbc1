using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Replication;

/// <summary>What runs cost the registries, request by request.</summary>
public sealed class CostTests
{
    private static SyncJob Job { get; } = SyncScene.JobOf("org/app");

    [Fact]
    public async Task A_target_that_says_that_it_has_no_such_tag_is_believed_and_a_source_is_asked_again()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        await scene.RunAsync(Job);
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 2), "2");
        scene.Source.On(request => request.Method == HttpMethod.Head && request.Path.EndsWith("/manifests/2", StringComparison.Ordinal))
            .Do(Behaviour.Status(404, "", ("Docker-Distribution-API-Version", "registry/2.0")));
        scene.ClearRequests();

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "2");
        Assert.Equal(["HEAD", "PUT"], Methods(scene.Target, "/manifests/2"));
        Assert.Equal(["HEAD", "GET"], Methods(scene.Source, "/manifests/2"));
        Assert.DoesNotContain(scene.Target.Requests, request => request.Method == HttpMethod.Get);
    }

    [Fact]
    public async Task What_is_gone_at_either_side_is_forgotten_and_not_deleted()
    {
        await using var scene = await SyncScene.StartAsync();
        var job = Job with { Delete = true };
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1", "2");
        await scene.RunAsync(job);
        scene.Source.Untag(SyncScene.App, "2");
        scene.Target.Untag(SyncScene.App, "2");
        scene.ClearRequests();

        Assert.Equal(RunOutcome.Done, (await scene.RunAsync(job)).Run.Outcome);

        Assert.Equal(["HEAD"], Methods(scene.Target, "/manifests/2"));
        Assert.Null(scene.State.FindTag(job.Name, SyncScene.App, Tag.Parse("2")));
    }

    private static IEnumerable<string> Methods(FakeRegistry registry, string end) =>
        registry.Requests.Where(request => request.Path.EndsWith(end, StringComparison.Ordinal)).Select(request => request.Method.Method);
}
