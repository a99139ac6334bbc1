using System.Text.Json.Nodes;
using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Replication;

/// <summary>What an image is, beside its manifest and layers: platforms, and what refers to it.</summary>
public sealed class WholeImageTests
{
    private static SyncJob Job { get; } = SyncScene.JobOf("org/app");

    private static SyncJob Arm { get; } = Job with { Platforms = [new Platform("linux", "arm64")] };

    [Fact]
    public async Task A_sparse_index_keeps_its_bytes_and_leaves_the_others_content_behind()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Target.Pushing = new PushOptions { TakesSparse = true };
        var index = TestIndex.Create(seed: 1);
        scene.Source.Add(SyncScene.App, index, "1");

        var report = await scene.RunAsync(Arm);

        Assert.Empty(report.Missing);
        Assert.Equal(index.Digest, scene.Target.FindManifest(SyncScene.App, Tag.Parse("1"))!.Digest);
        scene.AssertWhole(SyncScene.App, index.Images[1].Manifest);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, index.Images[0].Digest));
        Assert.Null(scene.Target.FindBlob(SyncScene.App, index.Images[0].Layer.Digest));

        // Whoever then wants all of it gets what was left behind, although the index is there.
        await scene.RunAsync(Job with { Name = "all", Index = IndexMode.Sparse, Platforms = [new("linux", "arm64"), new("linux", "amd64")] });
        scene.AssertCopied(SyncScene.App, "1");
    }

    [Fact]
    public async Task A_target_that_takes_no_sparse_index_is_told_of_rewrite()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestIndex.Create(seed: 1), "1");

        var report = await scene.RunAsync(Arm);

        Assert.Equal(RunOutcome.Failed, report.Run.Outcome);
        Assert.Contains("index: rewrite", Assert.Single(report.Missing).Why, StringComparison.Ordinal);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, Tag.Parse("1")));
    }

    [Theory]
    [InlineData(ImageFormat.Oci)]
    [InlineData(ImageFormat.Docker)]
    public async Task A_rewritten_index_has_the_chosen_platforms_and_names_the_original(ImageFormat format)
    {
        await using var scene = await SyncScene.StartAsync();
        var index = TestIndex.Create(seed: 1, format: format);
        scene.Source.Add(SyncScene.App, index, "1");
        var job = Arm with { Index = IndexMode.Rewrite };

        Assert.Empty((await scene.RunAsync(job)).Missing);

        var copied = scene.Target.FindManifest(SyncScene.App, Tag.Parse("1"))!;
        Assert.NotEqual(index.Digest, copied.Digest);
        Assert.Equal(index.Manifest.MediaType, copied.MediaType);
        Assert.True(Manifest.TryParse(copied.Content, copied.MediaType, DigestAlgorithm.Sha256, out var manifest, out _));
        Assert.Equal([index.Images[1].Digest], manifest.View().Children.Select(child => child.Digest));
        Assert.Contains(index.Digest.ToString(), manifest.View().Annotations.Values);
        scene.AssertWhole(SyncScene.App, copied);

        scene.ClearRequests();
        Assert.Equal(1, (await scene.RunAsync(job)).Run.Figures.UpToDate);
        Assert.Empty(scene.Target.Requests);
        Assert.Equal(1, (await scene.RunAsync(job, new() { IsFull = true })).Run.Figures.UpToDate);
    }

    [Fact]
    public async Task An_index_without_the_platform_is_not_copied_and_an_attestation_goes_with_its_image()
    {
        await using var scene = await SyncScene.StartAsync();
        var index = TestIndex.Create(seed: 1);
        var attestations = index.Images.Select((image, number) => TestImage.Create(seed: 50 + number, platform: new Platform("unknown", "unknown"))).ToList();
        var json = JsonNode.Parse(index.Manifest.Content.Span)!.AsObject();
        foreach (var (attestation, number) in attestations.Select((attestation, number) => (attestation, number)))
        {
            scene.Source.Add(SyncScene.App, attestation);
            json["manifests"]!.AsArray().Add(JsonNode.Parse($$$"""
                {"mediaType":"{{{attestation.Manifest.MediaType}}}","digest":"{{{attestation.Digest}}}","size":{{{attestation.Manifest.Size}}},
                 "platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.digest":"{{{index.Images[number].Digest}}}"}}
                """));
        }

        scene.Source.Add(SyncScene.App, index);
        scene.Source.AddManifest(SyncScene.App, TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), MediaTypes.OciIndex), "1");
        scene.Target.Pushing = new PushOptions { TakesSparse = true };

        Assert.Empty((await scene.RunAsync(Arm)).Missing);
        Assert.NotNull(scene.Target.FindManifest(SyncScene.App, attestations[1].Digest));
        Assert.Null(scene.Target.FindManifest(SyncScene.App, attestations[0].Digest));

        var none = await scene.RunAsync(Job with { Name = "none", Platforms = [new Platform("linux", "s390x")] }, new() { IsFull = true });
        Assert.Contains("linux/s390x", Assert.Single(none.Missing).Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Indexes_that_name_one_index_many_times_bring_it_once()
    {
        await using var scene = await SyncScene.StartAsync();
        var index = TestIndex.Create(seed: 1);
        scene.Source.Add(SyncScene.App, index);
        var inner = index.Manifest;
        for (var level = 0; level < 3; level++)
        {
            var child = $$"""{"mediaType":"{{inner.MediaType}}","digest":"{{inner.Digest}}","size":{{inner.Size}}}""";
            var json = $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[{{string.Join(',', Enumerable.Repeat(child, 10))}}]}""";
            inner = TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json), MediaTypes.OciIndex);
            scene.Source.AddManifest(SyncScene.App, inner, level == 2 ? ["1"] : []);
        }

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        Assert.Single(
            scene.Source.Requests, request => request.Method == HttpMethod.Get && request.Path.EndsWith($"/manifests/{index.Digest}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Foreign_layers_stay_where_they_are()
    {
        await using var scene = await SyncScene.StartAsync();
        var image = TestImage.Create(layers: 2, seed: 1);
        var layer = image.Layers[1];
        var json = JsonNode.Parse(image.Manifest.Content.Span)!.AsObject();
        json["layers"]![1]!["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        foreach (var blob in image.Blobs.Where(blob => blob.Digest != layer.Digest))
        {
            scene.Source.AddBlob(SyncScene.App, blob);
        }

        scene.Source.AddManifest(SyncScene.App, TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), MediaTypes.OciManifest), "1");
        scene.Target.AddBlob(SyncScene.App, layer);

        Assert.Empty((await scene.RunAsync(Job)).Missing);
        Assert.Empty(scene.Target.RequestsFor(layer.Digest));
        Assert.Equal(0, scene.TimesSent(layer));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task What_refers_to_an_image_comes_with_it_before_its_tag(bool sourceKeepsReferrers, bool targetKeepsReferrers)
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Target.Pushing = new PushOptions { KeepsReferrers = targetKeepsReferrers };
        var index = TestIndex.Create(seed: 1);
        var sbom = TestImage.Create(layerSize: 300, seed: 20, subject: index.Images[0].Manifest.Descriptor with { Platform = null }, artifactType: "test/sbom");
        var signature = TestImage.Create(layerSize: 100, seed: 21, subject: sbom.Manifest.Descriptor with { Platform = null }, artifactType: "test/signature");
        var cosign = TestImage.Create(layerSize: 100, seed: 22);
        scene.Source.Add(SyncScene.App, index, "1");
        scene.Source.Add(SyncScene.App, sbom);
        scene.Source.Add(SyncScene.App, signature);
        var cosignTag = $"sha256-{index.Digest.Hex}.sig";
        scene.Source.Add(SyncScene.App, cosign, cosignTag);
        if (!sourceKeepsReferrers)
        {
            scene.Source.Pushing = new PushOptions { KeepsReferrers = false };
            scene.Source.AddManifest(SyncScene.App, TestIndex.Of(ImageFormat.Oci, sbom).Manifest, $"sha256-{index.Images[0].Digest.Hex}");
            scene.Source.AddManifest(SyncScene.App, TestIndex.Of(ImageFormat.Oci, signature).Manifest, $"sha256-{sbom.Digest.Hex}");
        }

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertCopied(SyncScene.App, cosignTag);
        scene.AssertWhole(SyncScene.App, scene.Target.FindManifest(SyncScene.App, sbom.Digest)!);
        scene.AssertWhole(SyncScene.App, scene.Target.FindManifest(SyncScene.App, signature.Digest)!);
        var puts = scene.Target.Requests.Where(request => request.Method == HttpMethod.Put && request.Path.Contains("/manifests/", StringComparison.Ordinal)).ToList();
        Assert.EndsWith("/manifests/1", puts[^1].Path, StringComparison.Ordinal);
        Assert.Equal(!targetKeepsReferrers, scene.Target.FindManifest(SyncScene.App, Tag.Parse($"sha256-{sbom.Digest.Hex}")) is not null);
    }

    [Fact]
    public async Task What_comes_to_refer_to_an_image_that_has_not_changed_is_found_within_a_day()
    {
        await using var scene = await SyncScene.StartAsync();
        var image = TestImage.Create(seed: 1);
        scene.Source.Add(SyncScene.App, image, "1");
        await scene.RunAsync(Job);
        var signature = TestImage.Create(layerSize: 100, seed: 21, subject: image.Manifest.Descriptor with { Platform = null }, artifactType: "test/signature");
        scene.Source.Add(SyncScene.App, signature);

        await scene.RunAsync(Job);
        Assert.Null(scene.Target.FindManifest(SyncScene.App, signature.Digest));

        scene.Time.Advance(Job.ReferrersFreshness);
        Assert.Empty((await scene.RunAsync(Job)).Missing);
        scene.AssertWhole(SyncScene.App, scene.Target.FindManifest(SyncScene.App, signature.Digest)!);
    }

    [Fact]
    public async Task Tags_that_make_a_signature_its_own_are_all_copied_and_what_is_about_it_is_asked_once()
    {
        await using var scene = await SyncScene.StartAsync();
        var (image, signature) = (TestImage.Create(seed: 1), TestImage.Create(layerSize: 100, seed: 22));
        var own = new[] { ".sig", ".att", ".sbom" }.Select(suffix => $"sha256-{signature.Digest.Hex}{suffix}").ToList();
        scene.Source.Add(SyncScene.App, image, "1");
        scene.Source.Add(SyncScene.App, signature, [$"sha256-{image.Digest.Hex}.sig", .. own]);

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        Assert.All(own, tag => scene.AssertCopied(SyncScene.App, tag));
        Assert.Single(scene.Source.Requests, request => request.Path.EndsWith($"/referrers/{signature.Digest}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_list_of_referrers_that_names_one_that_was_deleted_holds_up_neither_the_image_nor_the_others()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Pushing = new PushOptions { KeepsReferrers = false };
        var image = TestImage.Create(seed: 1);
        var subject = image.Manifest.Descriptor with { Platform = null };
        var (deleted, kept) = (TestImage.Create(seed: 20, subject: subject), TestImage.Create(seed: 21, subject: subject));
        scene.Source.Add(SyncScene.App, image, "1");
        scene.Source.Add(SyncScene.App, kept);
        scene.Source.AddManifest(SyncScene.App, TestIndex.Of(ImageFormat.Oci, deleted, kept).Manifest, $"sha256-{image.Digest.Hex}");

        Assert.Empty((await scene.RunAsync(Job)).Missing);

        scene.AssertCopied(SyncScene.App, "1");
        scene.AssertWhole(SyncScene.App, scene.Target.FindManifest(SyncScene.App, kept.Digest)!);
    }

    [Fact]
    public async Task Without_referrers_nobody_asks_for_them()
    {
        await using var scene = await SyncScene.StartAsync();
        scene.Source.Add(SyncScene.App, TestImage.Create(seed: 1), "1");

        await scene.RunAsync(Job with { Referrers = false });

        Assert.DoesNotContain(scene.Source.Requests, request => request.Path.Contains("/referrers/", StringComparison.Ordinal));
    }
}
