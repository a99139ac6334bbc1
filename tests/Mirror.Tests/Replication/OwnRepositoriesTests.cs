using System.Text.Json;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Tests.Replication;

/// <summary>Jobs from and to <c>local</c>.</summary>
public sealed class OwnRepositoriesTests
{
    private const int Large = 3_000_000;

    private static readonly RepositoryName Copy = RepositoryName.Parse("team/org/app");

    [Fact]
    public async Task What_is_copied_here_is_pulled_byte_for_byte_with_all_that_refers_to_it()
    {
        var index = TestIndex.Create(layers: 2, seed: 1);
        var signature = SideScene.SignatureOf(index.Manifest);
        var cosign = TestImage.Create(layerSize: 10, seed: 3);
        await using var scene = await SideScene.StartAsync(upstream =>
        {
            upstream.Add(SideScene.App, index, "1");
            upstream.Add(SideScene.App, signature);
            upstream.Add(SideScene.App, cosign, $"sha256-{index.Digest.Hex}.sig");
        });
        var job = SideScene.JobOf("docker.io", "local/team", "org/app");

        var first = await scene.RunAsync(job);
        var second = await scene.RunAsync(job);

        Assert.Empty(first.Missing);
        Assert.Equal((RunOutcome.Done, 1, 10), (first.Run.Outcome, first.Run.Figures.Copied, first.Run.Figures.Blobs));
        Assert.Equal(RunOutcome.Done, second.Run.Outcome);
        Assert.Equal((0, 0, 1), (second.Run.Figures.Copied, second.Run.Figures.Blobs, second.Run.Figures.UpToDate));
        await scene.AssertServedAsync($"{Copy}", "1", index);
        await scene.AssertServedAsync($"{Copy}", $"{signature.Digest}", signature);
        await scene.AssertServedAsync($"{Copy}", $"sha256-{index.Digest.Hex}.sig", cosign);
        var referrers = await RawHttp.GetAsync(scene.Mirror.Url, $"/v2/{Copy}/referrers/{index.Digest}");
        Assert.Equal([$"{signature.Digest}"], DigestsIn(referrers.Text));
        Assert.Equal(0, scene.Mirror.Staged());
    }

    [Fact]
    public async Task What_was_pushed_here_is_copied_to_another_registry()
    {
        await using var scene = await SideScene.StartAsync();
        var index = TestIndex.Create(layers: 2, layerSize: 600_000, seed: 1);
        var signature = SideScene.SignatureOf(index.Manifest);
        await PushAsync(scene, "team/app", [.. index.Images, signature]);
        await PutAsync(scene, "/v2/team/app/manifests/1", index.Manifest);

        var report = await scene.RunAsync(SideScene.JobOf("local", "other/copies", "team/*"));

        Assert.Empty(report.Missing);
        var there = RepositoryName.Parse("copies/team/app");
        Assert.Equal(index.Manifest.Content.ToArray(), scene.Other.FindManifest(there, Tag.Parse("1"))!.Content.ToArray());
        foreach (var image in index.Images.Append(signature))
        {
            Assert.Equal(image.Manifest.Content.ToArray(), scene.Other.FindManifest(there, image.Digest)!.Content.ToArray());
            Assert.All(
                image.Blobs, blob => Assert.Equal(blob.Content.ToArray(), scene.Other.FindBlob(there, blob.Digest)!.Content.ToArray()));
        }
    }

    [Fact]
    public async Task Between_our_own_repositories_no_byte_is_copied()
    {
        await using var scene = await SideScene.StartAsync();
        var image = TestImage.Create(layers: 2, seed: 1);
        await PushAsync(scene, "team/app", [image], "1");
        var before = image.Blobs.Append(image.Manifest)
            .ToDictionary(blob => blob.Digest, blob => File.GetLastWriteTimeUtc(scene.PathOf(blob.Digest)));

        var report = await scene.RunAsync(SideScene.JobOf("local", "local/team/copies", "team/app"));

        Assert.Empty(report.Missing);
        Assert.Equal((0, 3, 0L), (report.Run.Figures.Blobs, report.Run.Figures.Mounted, report.Run.Figures.Bytes));
        Assert.All(before, blob => Assert.Equal(blob.Value, File.GetLastWriteTimeUtc(scene.PathOf(blob.Key))));
        await scene.AssertServedAsync("team/copies/team/app", "1", image);
    }

    [Fact]
    public async Task A_blob_whose_connection_breaks_is_gone_on_with_from_there()
    {
        var image = TestImage.Create(layerSize: Large, seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Times(2).Do(Behaviour.CutAfter(Large / 3));

        var report = await scene.RunAsync(SideScene.JobOf("docker.io", "local/team", "org/app"));

        Assert.Empty(report.Missing);
        Assert.Equal(
            [null, $"bytes={Large / 3}-", $"bytes={Large / 3 * 2}-"],
            scene.Upstream.RequestsFor(image.Layer.Digest).Select(request => request.Header("Range")));
        await scene.AssertServedAsync($"{Copy}", "1", image);
    }

    [Fact]
    public async Task A_blob_goes_on_after_a_restart_where_it_stood()
    {
        var image = TestImage.Create(layerSize: Large, seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        var job = SideScene.JobOf("docker.io", "local/team", "org/app");
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.StallAfter(Large / 2));
        await scene.OpenAsync(async sides =>
        {
            var running = sides.Start(job);
            await scene.Mirror.StagedAsync(Large / 2);
            Assert.NotNull(sides.State.FindUpload("local", image.Layer.Digest));
            running.Stop();
            Assert.Equal(RunOutcome.Stopped, (await running.Completion).Run.Outcome);
        });
        scene.Upstream.ClearRequests();

        var report = await scene.RunAsync(job);

        Assert.Empty(report.Missing);
        Assert.Equal($"bytes={Large / 2}-", scene.Upstream.RequestsFor(image.Layer.Digest)[^1].Header("Range"));
        await scene.AssertServedAsync($"{Copy}", "1", image);
        Assert.Equal(0, scene.Mirror.Staged());
    }

    [Fact]
    public async Task A_blob_that_an_earlier_process_began_with_other_bytes_is_begun_again()
    {
        var image = TestImage.Create(layerSize: Large, seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        var job = SideScene.JobOf("docker.io", "local/team", "org/app");
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.WrongBytes(5), Behaviour.StallAfter(Large / 2));
        await scene.OpenAsync(async sides =>
        {
            var running = sides.Start(job);
            await scene.Mirror.StagedAsync(Large / 2);
            running.Stop();
            await running.Completion;
        });

        var report = await scene.RunAsync(job);

        Assert.Empty(report.Missing);
        await scene.AssertServedAsync($"{Copy}", "1", image);
        Assert.Equal(0, scene.Mirror.Staged());
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(Large)]
    public async Task Wrong_bytes_are_never_published(int size)
    {
        var image = TestImage.Create(layerSize: size, seed: 1);
        await using var scene = await SideScene.StartAsync(upstream => upstream.Add(SideScene.App, image, "1"));
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.WrongBytes(size / 2));

        var report = await scene.RunAsync(SideScene.JobOf("docker.io", "local/team", "org/app"));

        Assert.Equal(RunOutcome.Failed, report.Run.Outcome);
        Assert.Contains($"{image.Layer.Digest}", Assert.Single(report.Missing).Why, StringComparison.Ordinal);
        Assert.DoesNotContain(image.Layer.Digest, scene.Mirror.Published());
        Assert.DoesNotContain(image.Digest, scene.Mirror.Published());
        Assert.Equal(404, (await RawHttp.GetAsync(scene.Mirror.Url, $"/v2/{Copy}/manifests/1")).Status);
        Assert.Equal(0, scene.Mirror.Staged());
    }

    [Fact]
    public async Task A_copy_that_is_stopped_before_its_first_byte_leaves_nothing()
    {
        var layer = TestBlob.Create(Large, seed: 1);
        await using var scene = await SideScene.StartAsync();
        await scene.OpenAsync(sides => Assert.ThrowsAnyAsync<OperationCanceledException>(() => sides.Own.GetTarget(Copy).PushBlobAsync(
            layer.Descriptor, (_, _) => throw new InvalidOperationException(), begun: null, _ => { }, new CancellationToken(canceled: true))));

        Assert.Equal(0, scene.Mirror.Staged());
    }

    [Fact]
    public async Task A_source_that_gives_nothing_is_an_answer_and_the_other_images_are_copied()
    {
        var (good, bad) = (TestImage.Create(seed: 1), TestImage.Create(seed: 2));
        await using var scene = await SideScene.StartAsync(upstream =>
        {
            upstream.Add(SideScene.App, good, "good");
            upstream.Add(SideScene.App, bad, "bad");
        });
        scene.Upstream.On(HttpMethod.Get, bad.Layer.Digest).Do(Behaviour.CutAfter(0));
        scene.WaitForNothing();

        var report = await scene.RunAsync(SideScene.JobOf("docker.io", "local/team", "org/app"));

        Assert.Equal(RunOutcome.Partly, report.Run.Outcome);
        Assert.Equal("bad", $"{Assert.Single(report.Missing).Tag}");
        await scene.AssertServedAsync($"{Copy}", "good", good);
    }

    [Fact]
    public async Task Repositories_whose_names_are_not_ours_are_named_and_the_others_copied()
    {
        var image = TestImage.Create(seed: 1);
        await using var scene = await SideScene.StartAsync(upstream =>
        {
            upstream.Add(RepositoryName.Parse("team/app"), image, "1");
            upstream.Add(RepositoryName.Parse("elsewhere/app"), image, "1");
        });

        var report = await scene.RunAsync(SideScene.JobOf("docker.io", "local", "*/app"));

        var missing = Assert.Single(report.Missing);
        Assert.Equal("elsewhere/app: elsewhere/app is not one of this registry's own names: list it under local", $"{missing}");
        Assert.Equal(RunOutcome.Partly, report.Run.Outcome);
        Assert.DoesNotContain(scene.Upstream.Requests, request => request.Path.Contains("elsewhere", StringComparison.Ordinal));
        await scene.AssertServedAsync("team/app", "1", image);
    }

    [Fact]
    public async Task A_manifest_is_not_taken_before_what_it_refers_to()
    {
        await using var scene = await SideScene.StartAsync();
        var image = TestImage.Create(seed: 1);
        Assert.True(Manifest.TryParse(image.Manifest.Content, image.Manifest.MediaType, image.Digest.Algorithm, out var manifest, out _));

        await scene.OpenAsync(async sides =>
        {
            var answer = await sides.Own.GetTarget(Copy).PutManifestAsync(Tag.Parse("1"), manifest, CancellationToken.None);

            var failure = Assert.IsType<RemoteAnswer<Descriptor>.Failed>(answer).Failure;
            Assert.Equal(RefusalReason.ContentUnknown, Assert.IsType<RemoteFailure.Refused>(failure).Reason);
        });

        Assert.Equal(404, (await RawHttp.GetAsync(scene.Mirror.Url, $"/v2/{Copy}/manifests/1")).Status);
    }

    [Fact]
    public async Task What_the_disk_has_lost_is_copied_here_again_by_the_next_run()
    {
        var index = TestIndex.Create(layers: 2, seed: 1);
        var image = TestImage.Create(layers: 2, seed: 9);
        await using var scene = await SideScene.StartAsync(upstream =>
        {
            upstream.Add(SideScene.App, index, "index");
            upstream.Add(SideScene.App, image, "image");
        });
        var job = SideScene.JobOf("docker.io", "local/team", "org/app");
        await scene.RunAsync(job);
        await scene.Mirror.RestartAsync(() =>
        {
            File.Delete(scene.PathOf(index.Images[1].Layer.Digest));
            File.Delete(scene.PathOf(image.Layers[1].Digest));
        });

        var report = await scene.RunAsync(job);

        Assert.Empty(report.Missing);
        Assert.Equal((2, 2), (report.Run.Figures.UpToDate, report.Run.Figures.Blobs));
        await scene.AssertServedAsync($"{Copy}", "index", index);
        await scene.AssertServedAsync($"{Copy}", "image", image);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_disk_has_lost_or_changed_leaves_nothing_wrong_elsewhere_and_is_said(bool isLost)
    {
        await using var scene = await SideScene.StartAsync();
        var (whole, broken) = (TestImage.Create(seed: 1), TestImage.Create(layerSize: Large, seed: 2));
        await PushAsync(scene, "team/app", [whole], "whole");
        await PushAsync(scene, "team/app", [broken], "broken");
        scene.WaitForNothing();
        await scene.Mirror.RestartAsync(() => Spoil(scene.PathOf(broken.Layer.Digest), isLost));

        var report = await scene.RunAsync(SideScene.JobOf("local", "other", "team/app"));

        Assert.Equal(RunOutcome.Partly, report.Run.Outcome);
        var missing = Assert.Single(report.Missing);
        Assert.Equal("broken", $"{missing.Tag}");
        Assert.Contains($"{broken.Layer.Digest}", missing.Why, StringComparison.Ordinal);
        var app = RepositoryName.Parse("team/app");
        Assert.NotNull(scene.Other.FindManifest(app, Tag.Parse("whole")));
        Assert.Null(scene.Other.FindManifest(app, Tag.Parse("broken")));
        Assert.Null(scene.Other.FindBlob(app, broken.Layer.Digest));
    }

    private static void Spoil(string path, bool isLost)
    {
        if (isLost)
        {
            File.Delete(path);
            return;
        }

        var content = File.ReadAllBytes(path);
        content[Large - 10] ^= 0xFF;
        File.Delete(path);
        File.WriteAllBytes(path, content);
    }

    private static async Task PushAsync(SideScene scene, string repository, IReadOnlyList<TestImage> images, string? tag = null)
    {
        foreach (var image in images)
        {
            foreach (var blob in image.Blobs)
            {
                await SendAsync(scene, HttpMethod.Post, $"/v2/{repository}/blobs/uploads/?digest={blob.Digest}", blob);
            }

            await PutAsync(scene, $"/v2/{repository}/manifests/{tag ?? image.Digest.ToString()}", image.Manifest);
        }
    }

    private static Task PutAsync(SideScene scene, string path, TestBlob manifest) => SendAsync(scene, HttpMethod.Put, path, manifest);

    private static async Task SendAsync(SideScene scene, HttpMethod method, string path, TestBlob content)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(method, new Uri(scene.Mirror.Url, path));
        request.Content = new ReadOnlyMemoryContent(content.Content);
        request.Content.Headers.TryAddWithoutValidation("Content-Type", content.MediaType);
        using var answer = await http.SendAsync(request);
        Assert.Equal(201, (int)answer.StatusCode);
    }

    private static List<string?> DigestsIn(string index)
    {
        using var json = JsonDocument.Parse(index);
        var manifests = json.RootElement.GetProperty("manifests").EnumerateArray();
        return [.. manifests.Select(manifest => manifest.GetProperty("digest").GetString())];
    }
}
