using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Replication;

/// <summary>What runs cost the registries, request by request.</summary>
public sealed class CostTests
{
    private static readonly string[] Kinds = ["list", "manifests", "referrers", "uploads", "blobs"];

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
    public async Task The_first_copy_of_an_image_of_one_layer_costs_five_requests_at_either_side_beside_the_listings()
    {
        await using var scene = await SyncScene.StartAsync();
        var images = Enumerable.Range(0, 3).Select(number => TestImage.Create(layerSize: 1000, seed: number)).ToList();
        images.ForEach(image => scene.Source.Add(SyncScene.App, image, $"v{images.IndexOf(image)}"));

        Assert.Equal(3, (await scene.RunAsync(Job)).Run.Figures.Copied);

        Assert.Equal(
            ["1 GET list", "3 GET manifests", "3 GET referrers", "3 HEAD manifests", "6 GET blobs"], Summary(scene.Source));
        Assert.Equal(["1 GET list", "3 PUT manifests", "6 POST uploads", "6 PUT uploads"], Summary(scene.Target));
    }

    [Fact]
    public async Task An_image_of_several_tags_is_fetched_once_and_put_without_asking_again_what_it_is_made_of()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(layerSize: 1000, seed: 1), "1", "1.2", "1.2.3");

        Assert.Equal(3, (await scene.RunAsync(Job with { Parallel = 1 })).Run.Figures.Copied);

        Assert.Equal(1, scene.Source.Count(HttpMethod.Get, scene.Source.FindManifest(SyncScene.App, Tag.Parse("1"))!.Digest));
        Assert.Equal(["1 GET list", "2 POST uploads", "2 PUT uploads", "3 PUT manifests"], Summary(scene.Target));
    }

    [Fact]
    public async Task What_a_run_that_ended_in_the_middle_has_put_into_a_new_repository_is_not_sent_again()
    {
        await using var scene = await SyncScene.StartAsync();
        var image = TestImage.Create(layers: 2, layerSize: 500_000, seed: 5);
        scene.Source.Add(SyncScene.App, image, "1");
        scene.Source.On(HttpMethod.Get, image.Layers[1].Digest).Times(1).Do(Behaviour.Stall());
        var (run, _) = scene.Runner.Start(Job, new(), "command");
        await scene.Source.Received(HttpMethod.Get, image.Layers[1].Digest);
        await Poll.UntilAsync(
            () => scene.Target.FindBlob(SyncScene.App, image.Layers[0].Digest) is not null, "the first layer has not arrived");
        run.Stop();
        await run.Completion;
        scene.Restart();

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        Assert.Equal(1, scene.TimesSent(image.Layers[0]));
    }

    [Fact]
    public async Task A_target_that_does_not_list_its_tags_is_asked_for_each()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        scene.Target.Add(SyncScene.App, TestImage.Create(seed: 1), "1");
        scene.Target.On(request => request.Path.EndsWith("/tags/list", StringComparison.Ordinal)).Do(Behaviour.Status(403));

        var report = await scene.RunAsync(Job);

        Assert.Equal((RunOutcome.Done, 1), (report.Run.Outcome, report.Run.Figures.UpToDate));
        Assert.Equal(["HEAD"], Methods(scene.Target, "/manifests/1"));
    }

    [Theory]
    [InlineData("""{"errors":[{"code":"UNSUPPORTED","message":"there is no such endpoint"}]}""")]
    [InlineData("404 page not found\n")]
    public async Task A_source_without_referrers_API_is_asked_once_and_then_for_what_its_tags_say_that_there_is(string answer)
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.On(request => request.Path.Contains("/referrers/", StringComparison.Ordinal))
            .Do(Behaviour.Status(404, answer, ("Docker-Distribution-API-Version", "registry/2.0")));
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
            scene.Source.Requests.Select(request => request.Path)
                .Where(path => path.Contains("/manifests/sha256-", StringComparison.Ordinal)));

        scene.Source.Behave();
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
        scene.Source.On(request => request.Path.EndsWith($"/referrers/{first.Digest}", StringComparison.Ordinal))
            .Do(Behaviour.Status(status, body));

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

    /// <summary>How many requests of which kind a registry has had.</summary>
    private static IEnumerable<string> Summary(FakeRegistry registry) => registry.Requests
        .GroupBy(request => $"{request.Method} {Kinds.First(kind => request.Path.Contains($"/{kind}", StringComparison.Ordinal))}")
        .Select(group => $"{group.Count()} {group.Key}")
        .Order(StringComparer.Ordinal);

    private static IEnumerable<string> Methods(FakeRegistry registry, string end) =>
        registry.Requests.Where(request => request.Path.EndsWith(end, StringComparison.Ordinal)).Select(request => request.Method.Method);
}
