using Mirror.Caching;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Tests.Replication;

/// <summary>Jobs to <c>cache</c>.</summary>
public sealed class CachedRepositoriesTests
{
    private const int Large = 3_000_000;

    private static readonly Sync.Jobs.SyncJob Job = SideScene.JobOf("docker.io", "cache", "org/app");

    [Fact]
    public async Task After_a_run_a_clients_pull_costs_upstream_nothing()
    {
        var index = TestIndex.Create(layers: 2, seed: 1);
        var signature = SideScene.SignatureOf(index.Manifest);
        var cosign = TestImage.Create(layerSize: 10, seed: 3);
        await using var scene = await SideScene.StartAsync(upstream =>
        {
            upstream.Add(SideScene.App, index, "1");
            upstream.Add(SideScene.App, signature);
            upstream.Add(SideScene.App, cosign, CosignTag(index.Digest));
        });

        var report = await scene.RunAsync(Job);

        Assert.Empty(report.Missing);
        var blobs = index.Images.Append(signature).Append(cosign).SelectMany(image => image.Blobs).ToList();
        var figures = report.Run.Figures;
        Assert.Equal((1, blobs.Count, blobs.Sum(blob => blob.Size)), (figures.Copied, figures.Blobs, figures.Bytes));
        Assert.All(blobs, blob => Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, blob.Digest)));
        scene.Upstream.ClearRequests();
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "1", index);
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", $"{signature.Digest}", signature);
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", CosignTag(index.Digest), cosign);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task What_refers_to_an_image_is_known_without_asking_upstream_again()
    {
        var image = TestImage.Create(seed: 1);
        var signature = SideScene.SignatureOf(image.Manifest);
        await using var scene = await SideScene.StartAsync(upstream =>
        {
            upstream.Add(SideScene.App, image, "1");
            upstream.Add(SideScene.App, signature);
        });
        await scene.OpenAsync(async sides =>
        {
            await sides.RunAsync(Job);
            scene.Upstream.ClearRequests();

            var answer = await sides.Cache.Referrers.GetAsync(
                new UpstreamRepository(sides.Cache.Upstreams[0], SideScene.App), image.Digest, CancellationToken.None);

            var found = Assert.IsType<RemoteAnswer<Tagged<IReadOnlyList<Descriptor>>>.Found>(answer).Content;
            Assert.Equal([signature.Digest], found.Content.Select(referrer => referrer.Digest));
            Assert.Empty(scene.Upstream.Requests);
        });
    }

    [Fact]
    public async Task A_run_with_nothing_new_keeps_tags_fresh_and_fetches_nothing()
    {
        var image = TestImage.Create(seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        await scene.RunAsync(Job);
        scene.Time.Advance(TimeSpan.FromMinutes(10));
        scene.Upstream.ClearRequests();

        var report = await scene.RunAsync(Job);

        Assert.Equal((0, 1), (report.Run.Figures.Copied, report.Run.Figures.UpToDate));
        Assert.Equal(["HEAD", "GET /v2/org/app/tags/list"], Asked(scene));
        scene.Upstream.ClearRequests();
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "1", image);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task A_tag_that_has_moved_moves_in_the_cache_and_one_that_a_client_saw_move_later_stays()
    {
        var (old, now, later) = (TestImage.Create(seed: 1), TestImage.Create(seed: 2), TestImage.Create(seed: 3));
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, old, "1"));
        await scene.RunAsync(Job);
        scene.Time.Advance(TimeSpan.FromMinutes(10));
        scene.Upstream.Add(SideScene.App, now, "1");
        await scene.RunAsync(Job);
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "1", now);

        scene.Time.Advance(TimeSpan.FromMinutes(10));
        scene.Upstream.Add(SideScene.App, old, "1");
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, old.Digest).Times(1).Do(Behaviour.Stall(gate));
        await scene.OpenAsync(async sides =>
        {
            var key = new RepositoryKey("docker.io", SideScene.App);
            await sides.Store.Metadata.Cached.RemoveManifestAsync(key, old.Digest, sides.Store.Blobs);
            var running = sides.Start(Job);
            await gate.Arrived();
            scene.Time.Advance(TimeSpan.FromSeconds(1));
            scene.Upstream.Add(SideScene.App, later, "1");
            await sides.Cache.Tags.RefreshAsync(
                new UpstreamRepository(sides.Cache.Upstreams[0], SideScene.App), Tag.Parse("1"), CancellationToken.None);
            gate.Open();
            await running.Completion;
        });

        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "1", later);
    }

    [Fact]
    public async Task Only_the_chosen_platforms_are_fetched()
    {
        var index = TestIndex.Create(seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, index, "1"));

        var report = await scene.RunAsync(Job with { Platforms = [new Platform("linux", "amd64")] });

        Assert.Empty(report.Missing);
        Assert.All(index.Images[1].Blobs.Append(index.Images[1].Manifest), blob => Assert.Empty(scene.Upstream.RequestsFor(blob.Digest)));
        scene.Upstream.ClearRequests();
        await scene.AssertServedAsync($"/v2/docker.io/{SideScene.App}/manifests/1", index.Manifest);
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", $"{index.Images[0].Digest}", index.Images[0]);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task What_has_gone_from_the_cache_is_fetched_again_and_nothing_else()
    {
        var index = TestIndex.Create(layers: 2, seed: 1);
        var image = TestImage.Create(layers: 2, seed: 9);
        await using var scene = await SideScene.StartAsync(upstream =>
        {
            upstream.Add(SideScene.App, index, "index");
            upstream.Add(SideScene.App, image, "image");
        });
        await scene.RunAsync(Job);
        var gone = new[] { index.Images[1].Layer, image.Layers[1] };
        await scene.Mirror.RestartAsync(() => Array.ForEach(gone, blob => File.Delete(scene.PathOf(blob.Digest))));
        scene.Upstream.ClearRequests();

        var report = await scene.RunAsync(Job);

        Assert.Empty(report.Missing);
        Assert.Equal(2, report.Run.Figures.Blobs);
        Assert.Equal(
            gone.Select(blob => $"/v2/{SideScene.App}/blobs/{blob.Digest}").Order(StringComparer.Ordinal),
            scene.Upstream.Requests.Select(request => request.Path).Where(path => path.Contains("/blobs/", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal));
        scene.Upstream.ClearRequests();
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "index", index);
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "image", image);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task A_blob_that_a_client_is_downloading_is_not_fetched_twice()
    {
        var image = TestImage.Create(layerSize: Large, seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.StallAfter(Large / 2, gate));
        await scene.OpenAsync(async sides =>
        {
            var repository = new UpstreamRepository(sides.Cache.Upstreams[0], SideScene.App);
            var client = await sides.Cache.Blobs.OpenAsync(repository, image.Layer.Digest, TransferPriority.Client, CancellationToken.None);
            await using var source = Assert.IsType<RemoteAnswer<BlobSource>.Found>(client).Content;
            var running = sides.Start(Job);
            await scene.Upstream.Received(HttpMethod.Get, image.Config.Digest);
            gate.Open();

            Assert.Empty((await running.Completion).Missing);
        });

        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, image.Layer.Digest));
    }

    [Fact]
    public async Task A_blob_goes_on_where_it_stood_after_a_break_and_after_a_restart()
    {
        var image = TestImage.Create(layerSize: Large, seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.CutAfter(Large / 3));
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.StallAfter(Large / 3));
        await scene.OpenAsync(async sides =>
        {
            var running = sides.Start(Job);
            await scene.Mirror.StagedAsync(Large / 3 * 2);
            running.Stop();
            await running.Completion;
        });

        var report = await scene.RunAsync(Job);

        Assert.Empty(report.Missing);
        Assert.Equal(
            [null, $"bytes={Large / 3}-", $"bytes={Large / 3 * 2}-"],
            scene.Upstream.RequestsFor(image.Layer.Digest).Select(request => request.Header("Range")));
        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "1", image);
    }

    [Fact]
    public async Task Wrong_bytes_never_come_into_the_cache()
    {
        var image = TestImage.Create(seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.WrongBytes());

        var report = await scene.RunAsync(Job);

        Assert.Equal(RunOutcome.Failed, report.Run.Outcome);
        var why = Assert.Single(report.Missing).Why;
        Assert.Contains($"{image.Layer.Digest} is not at the cache of docker.io", why, StringComparison.Ordinal);
        Assert.DoesNotContain(image.Layer.Digest, scene.Mirror.Published());
    }

    [Fact]
    public async Task An_image_that_can_not_be_stored_is_named()
    {
        var image = TestImage.Create(seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        await scene.OpenAsync(async sides =>
        {
            var staged = Path.Combine(scene.Mirror.DataPath, "staged");
            Directory.Delete(staged);
            await File.WriteAllTextAsync(staged, "no folder");

            var report = await sides.RunAsync(Job);

            Assert.Equal(RunOutcome.Failed, report.Run.Outcome);
            var missing = Assert.Single(report.Missing);
            Assert.StartsWith("org/app:1: ", $"{missing}", StringComparison.Ordinal);
            Assert.Contains("could not store", missing.Why, StringComparison.Ordinal);
            File.Delete(staged);
            Directory.CreateDirectory(staged);
        });
    }

    [Fact]
    public async Task What_everybody_may_read_can_be_shown_to_everybody_while_upstream_is_down()
    {
        var image = TestImage.Create(seed: 1);
        var credentials = new BasicCredentials("mirror", "secret");
        await using var scene = await SideScene.StartAsync(
            upstream =>
            {
                upstream.Add(SideScene.App, image, "1");
                upstream.RequireTokens("mirror", "secret");
            },
            registry => registry with { Username = "mirror", Password = new Secret("secret") });
        var report = await scene.RunAsync(Job, options => options with { Remote = options.Remote with { Credentials = credentials } });
        Assert.Empty(report.Missing);

        await scene.Upstream.StopAsync();

        await scene.AssertServedAsync($"docker.io/{SideScene.App}", "1", image);
    }

    [Fact]
    public async Task A_repository_that_is_not_pulled_through_is_named()
    {
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, TestImage.Create(seed: 1), "1"));

        var report = await scene.RunAsync(Job, options => options with { Allow = [RepositoryPattern.Parse("library/*")] });

        Assert.Equal(
            "org/app: org/app is not pulled through this mirror: list it under allow of docker.io", $"{Assert.Single(report.Missing)}");
        Assert.Empty(scene.Upstream.Requests);
    }

    private static string CosignTag(Digest digest) => $"sha256-{digest.Hex}.sig";

    /// <summary>What was asked of manifests by method, and all else in full.</summary>
    private static IEnumerable<string> Asked(SideScene scene) => scene.Upstream.Requests
        .Select(request => request.Method == HttpMethod.Head ? "HEAD" : $"{request.Method} {request.Path}")
        .OrderDescending(StringComparer.Ordinal);
}
