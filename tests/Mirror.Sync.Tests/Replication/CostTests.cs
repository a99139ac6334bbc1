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

    [Fact]
    public async Task A_source_without_referrers_API_is_asked_once_and_then_for_what_its_tags_say_that_there_is()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Pushing = new PushOptions { KeepsReferrers = false };
        var index = TestIndex.Create(seed: 1);
        var signed = index.Images[1];
        var signature = TestImage.Create(layerSize: 100, seed: 21, subject: signed.Manifest.Descriptor with { Platform = null });
        scene.Source.Add(SyncScene.App, index, "1");
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 2), "2");
        scene.Source.Add(SyncScene.App, signature);
        scene.Source.AddManifest(SyncScene.App, TestIndex.Of(ImageFormat.Oci, signature).Manifest, $"sha256-{signed.Digest.Hex}");
        var job = Job with { Parallel = 1 };

        Assert.Empty((await scene.RunAsync(job)).Missing);

        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, signature.Digest));
        Assert.Equal(1, CountReferrers(scene.Source));
        Assert.Equal(
            [$"/v2/org/app/manifests/sha256-{signed.Digest.Hex}"],
            scene.Source.Requests.Select(request => request.Path).Where(path => path.Contains("/manifests/sha256-", StringComparison.Ordinal)));

        scene.Source.Pushing = new PushOptions();
        var second = TestImage.Create(layerSize: 100, seed: 22, subject: signed.Manifest.Descriptor with { Platform = null });
        scene.Source.Add(SyncScene.App, second);
        scene.Time.Advance(TimeSpan.FromDays(1));
        Assert.Empty((await scene.RunAsync(job)).Missing);
        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, second.Digest));
    }

    [Theory]
    [InlineData(404, """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not yet"}]}""")]
    [InlineData(404, "<html>no backend</html>")]
    [InlineData(400, """{"errors":[{"code":"DIGEST_INVALID","message":"not this one"}]}""")]
    public async Task What_one_answer_says_of_one_image_is_not_taken_for_a_registry_without_the_API(int status, string body)
    {
        await using var scene = await SyncScene.StartAsync();
        var (first, second) = (TestImage.Create(seed: 1), TestImage.Create(seed: 2));
        var signature = TestImage.Create(layerSize: 100, seed: 21, subject: second.Manifest.Descriptor with { Platform = null });
        scene.Source.Add(SyncScene.App, first, "1");
        scene.Source.Add(SyncScene.App, second, "2");
        scene.Source.Add(SyncScene.App, signature);
        scene.Source.On(request => request.Path.EndsWith($"/referrers/{first.Digest}", StringComparison.Ordinal)).Do(Behaviour.Status(status, body));

        Assert.Empty((await scene.RunAsync(Job with { Parallel = 1 })).Missing);

        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, signature.Digest));
    }

    [Fact]
    public async Task A_page_that_is_not_the_registrys_is_no_proof_that_nothing_refers_to_an_image()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        scene.Source.On(request => request.Path.Contains("/referrers/", StringComparison.Ordinal)
            || request.Path.Contains("/manifests/sha256-", StringComparison.Ordinal)).Do(Behaviour.Status(404, "<html>no backend</html>"));

        var report = await scene.RunAsync(Job);

        Assert.Contains("what refers to", Assert.Single(report.Missing).Why, StringComparison.Ordinal);
        scene.Source.Behave();
        Assert.Empty((await scene.RunAsync(Job)).Missing);
    }

    [Fact]
    public async Task A_full_run_asks_again_what_refers_to_images_that_have_not_changed()
    {
        await using var scene = await SyncScene.StartAsync();
        var image = TestImage.Create(seed: 1);
        scene.Source.Add(SyncScene.App, image, "1");
        await scene.RunAsync(Job);
        var signature = TestImage.Create(layerSize: 100, seed: 21, subject: image.Manifest.Descriptor with { Platform = null });
        scene.Source.Add(SyncScene.App, signature);
        await scene.RunAsync(Job);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, signature.Digest));

        Assert.Empty((await scene.RunAsync(Job, new() { IsFull = true })).Missing);

        scene.AssertWhole(SyncScene.App, scene.Target.FindManifest(SyncScene.App, signature.Digest)!);
    }

    private static int CountReferrers(FakeRegistry registry) =>
        registry.Requests.Count(request => request.Path.Contains("/referrers/", StringComparison.Ordinal));

    private static IEnumerable<string> Methods(FakeRegistry registry, string end) =>
        registry.Requests.Where(request => request.Path.EndsWith(end, StringComparison.Ordinal)).Select(request => request.Method.Method);
}
