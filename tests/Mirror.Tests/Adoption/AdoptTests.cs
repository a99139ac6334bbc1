using System.Text.Json;
using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;
using Mirror.Tests.Administration;
using Mirror.Tests.Storage;

namespace Mirror.Tests.Adoption;

/// <summary><c>mirror adopt</c>, from directories made by hand.</summary>
public sealed class AdoptTests
{
    private const string Own = "own/app";

    private static readonly TestImage Image = TestImage.Create(layers: 3, layerSize: 300_000, seed: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Images_indexes_referrers_and_lone_blobs_are_pulled_here_as_they_were_there_and_survive_a_lost_database(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(serving);
        using var data = new DistributionData();
        var index = TestIndex.Create(seed: 5);
        var untagged = TestImage.Create(seed: 2);
        var signature = TestImage.Create(seed: 3, subject: Image.Manifest.Descriptor, artifactType: "application/vnd.example.signature");
        var lone = TestBlob.Create(1000, seed: 9);
        data.Add(Own, Image, "1.0", "latest");
        data.Add("own/deep/er/multi", index, "multi");
        data.Add(Own, untagged);
        data.Add(Own, signature);
        data.AddBlob(Own, lone);
        Directory.CreateDirectory(data.Combine("repositories", Own, "_uploads", "8c6e1b3e-1111-2222-3333-444455556666"));
        var before = data.Listing();

        var adopted = await scene.RunAsync("adopt", data.Path);
        await scene.ServeAsync();
        await AssertIsThereAsync();
        await scene.StopServingAsync();
        File.Delete(new StoreLayout(scene.DataPath).Database);
        Assert.Equal(0, (await scene.RunAsync("rebuild")).Code);
        await scene.ServeAsync();
        await AssertIsThereAsync();

        Assert.Equal((0, ""), (adopted.Code, adopted.Error));
        var lines = adopted.Output.TrimEnd().Split('\n');
        Assert.Equal(
            [$"{Own}: 2 tags, 3 manifests, 3 of them new", "own/deep/er/multi: 1 tag, 3 manifests, 3 of them new"], lines[..^1].Order(StringComparer.Ordinal));
        Assert.StartsWith($"{data.Path}: 2 repositories, 3 tags, 6 manifests; blobs: ", lines[^1], StringComparison.Ordinal);
        Assert.Equal(before, data.Listing());

        async Task AssertIsThereAsync()
        {
            await scene.PullAsync(Image, RepositoryName.Parse(Own));
            await scene.PullAsync(untagged, RepositoryName.Parse(Own));
            await scene.GetExactlyAsync($"/v2/{Own}/manifests/1.0", Image.Manifest);
            await scene.GetExactlyAsync($"/v2/{Own}/manifests/latest", Image.Manifest);
            await scene.GetExactlyAsync($"/v2/{Own}/blobs/{lone.Digest}", lone);
            await scene.GetExactlyAsync("/v2/own/deep/er/multi/manifests/multi", index.Manifest);
            foreach (var image in index.Images)
            {
                await scene.PullAsync(image, RepositoryName.Parse("own/deep/er/multi"));
            }

            var referrers = JsonDocument.Parse((await scene.GetAsync($"/v2/{Own}/referrers/{Image.Digest}")).Body).RootElement;
            Assert.Equal($"{signature.Digest}", Assert.Single(referrers.GetProperty("manifests").EnumerateArray()).GetProperty("digest").GetString());
            Assert.Equal(404, (await scene.GetAsync($"/v2/own/deep/er/multi/manifests/{Image.Digest}")).Status);
        }
    }

    [Fact]
    public async Task A_damaged_blob_is_named_with_what_needs_it_and_the_rest_is_taken_over()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        var broken = TestImage.Create(layers: 2, seed: 2);
        var damagedManifest = TestImage.Create(seed: 3);
        var lost = TestImage.Create(seed: 4);
        data.Add(Own, Image, "good");
        data.Add(Own, broken, "bad", "worse");
        data.Add(Own, damagedManifest, "mad");
        data.Add(Own, lost, "lost");
        data.Damage(broken.Layer.Digest);
        data.Damage(damagedManifest.Digest);
        File.Delete(data.BlobFile(lost.Layer.Digest));

        var adopted = await scene.RunAsync("adopt", data.Path, "--json");

        Assert.Equal(3, adopted.Code);
        var leftOut = adopted.Json.GetProperty("leftOut").EnumerateArray()
            .Select(one => $"{one.GetProperty("what").GetString()}: {one.GetProperty("why").GetString()}").Order(StringComparer.Ordinal);
        Assert.Equal(
            new[]
            {
                $"{broken.Layer.Digest}: it is damaged: its bytes do not have this digest",
                $"{Own}@{broken.Digest} (tags bad, worse): it needs {broken.Layer.Digest}, and it is damaged: its bytes do not have this digest",
                $"{Own}@{damagedManifest.Digest} (tag mad): it is damaged: its bytes do not have this digest",
                $"{Own}@{lost.Digest} (tag lost): it needs {lost.Layer.Digest}, which this repository does not have there",
            }.Order(StringComparer.Ordinal),
            leftOut);
        await scene.PullAsync(Image, RepositoryName.Parse(Own));
        await scene.GetExactlyAsync($"/v2/{Own}/manifests/good", Image.Manifest);
        foreach (var reference in new[] { "bad", "worse", "mad", "lost", $"{broken.Digest}", $"{damagedManifest.Digest}" })
        {
            Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/manifests/{reference}")).Status);
        }

        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/blobs/{broken.Layer.Digest}")).Status);
        Assert.False(File.Exists(new StoreLayout(scene.DataPath).Blob(broken.Layer.Digest)));
        Assert.Empty(Directory.GetFiles(new StoreLayout(scene.DataPath).Staged));
    }

    [Fact]
    public async Task An_index_is_taken_over_for_the_images_that_can_be_and_not_without_any()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        var (half, none) = (TestIndex.Create(seed: 5), TestIndex.Create(seed: 6));
        data.Add(Own, half, "half");
        data.Add(Own, none, "none");
        data.Damage(half.Images[0].Layer.Digest);
        Assert.All(none.Images, image => data.Damage(image.Layer.Digest));

        var adopted = await scene.RunAsync("adopt", data.Path);

        Assert.Equal(3, adopted.Code);
        await scene.GetExactlyAsync($"/v2/{Own}/manifests/half", half.Manifest);
        await scene.PullAsync(half.Images[1], RepositoryName.Parse(Own));
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/manifests/{half.Images[0].Digest}")).Status);
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/manifests/none")).Status);
        Assert.Contains(
            $"mirror: left out: {Own}@{none.Digest} (tag none): none of the 2 images that it is an index of is here\n", adopted.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_deleted_there_stays_deleted_and_is_nobodys_fault()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        var deleted = TestImage.Create(seed: 2);
        data.Add(Own, Image, "1.0", "gone");
        data.Add(Own, deleted, "dead");
        File.Delete(data.TagFile(Own, "gone"));
        File.Delete(data.RevisionFile(Own, deleted.Digest));
        File.Delete(data.BlobFile(deleted.Layer.Digest));

        var adopted = await scene.RunAsync("adopt", data.Path);

        Assert.Equal((0, ""), (adopted.Code, adopted.Error));
        Assert.Equal("""["1.0"]""", JsonDocument.Parse((await scene.GetAsync($"/v2/{Own}/tags/list")).Body).RootElement.GetProperty("tags").GetRawText());
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/manifests/{deleted.Digest}")).Status);
    }

    [Fact]
    public async Task Doing_it_again_reads_no_blob_and_takes_over_what_has_come_since()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        var later = TestImage.Create(seed: 2);
        data.Add(Own, Image, "1.0");
        await scene.RunAsync("adopt", data.Path);
        // Nothing would be taken over of it, if it were read.
        foreach (var blob in Image.Blobs)
        {
            File.Delete(data.BlobFile(blob.Digest));
            File.WriteAllBytes(data.BlobFile(blob.Digest), new byte[blob.Size]);
        }

        data.Add(Own, later, "2.0");

        var again = await scene.RunAsync("adopt", data.Path, "--json");

        Assert.Equal((0, ""), (again.Code, again.Error));
        var blobs = again.Json.GetProperty("registry").GetProperty("blobs");
        Assert.Equal(4, blobs.GetProperty("alreadyHere").GetInt32());
        Assert.Equal(Image.Blobs.Sum(blob => blob.Size), blobs.GetProperty("alreadyHereBytes").GetInt64());
        Assert.Equal(2, blobs.GetProperty("linked").GetInt32() + blobs.GetProperty("copied").GetInt32());
        await scene.PullAsync(Image, RepositoryName.Parse(Own));
        await scene.PullAsync(later, RepositoryName.Parse(Own));
        await scene.GetExactlyAsync($"/v2/{Own}/manifests/2.0", later.Manifest);
    }

    [Fact]
    public async Task A_tag_that_points_elsewhere_here_is_moved_only_on_request()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        var newer = TestImage.Create(seed: 2);
        data.Add(Own, Image, "latest");
        await scene.RunAsync("adopt", data.Path);
        data.Add(Own, newer, "latest");

        var kept = await scene.RunAsync("adopt", data.Path);
        await scene.GetExactlyAsync($"/v2/{Own}/manifests/latest", Image.Manifest);
        var moved = await scene.RunAsync("adopt", data.Path, "--move-tags");
        await scene.GetExactlyAsync($"/v2/{Own}/manifests/latest", newer.Manifest);

        Assert.Equal(
            (3, $"mirror: left out: {Own}:latest: it points to {Image.Digest} here, and to {newer.Digest} there; --move-tags lets it point to that\n"),
            (kept.Code, kept.Error));
        Assert.Equal((0, ""), (moved.Code, moved.Error));
    }

    [Fact]
    public async Task Files_are_linked_without_a_change_of_their_mode_unless_others_may_write_to_them()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        data.Add(Own, Image, "1.0");
        var (linked, copied) = (Image.Layers[0].Digest, Image.Layers[1].Digest);
        File.SetUnixFileMode(data.BlobFile(copied), File.GetUnixFileMode(data.BlobFile(copied)) | UnixFileMode.GroupWrite);
        var before = data.Listing();

        var adopted = await scene.RunAsync("adopt", data.Path, "--json");

        var layout = new StoreLayout(scene.DataPath);
        Assert.Equal(1, adopted.Json.GetProperty("registry").GetProperty("blobs").GetProperty("copied").GetInt32());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(layout.Blob(copied)));
        Assert.Equal(File.GetUnixFileMode(data.BlobFile(linked)), File.GetUnixFileMode(layout.Blob(linked)));
        Assert.Equal(before, data.Listing());
        Directory.Delete(data.Combine("blobs"), recursive: true);
        await scene.PullAsync(Image, RepositoryName.Parse(Own));
    }

    [SecondDiskFact]
    public async Task From_another_file_system_all_is_copied()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var other = new SecondDisk();
        using (var data = new DistributionData())
        {
            data.Add(Own, Image, "1.0");
            foreach (var file in Directory.EnumerateFiles(data.Path, "*", SearchOption.AllDirectories))
            {
                var copy = System.IO.Path.Combine(other.Path, System.IO.Path.GetRelativePath(data.Path, file));
                Directory.CreateDirectory(System.IO.Path.GetDirectoryName(copy)!);
                File.Copy(file, copy);
            }
        }

        var adopted = await scene.RunAsync("adopt", other.Path);

        Assert.Equal((0, ""), (adopted.Code, adopted.Error));
        Assert.Contains("blobs: 0 linked (0 B), 4 copied (", adopted.Output, StringComparison.Ordinal);
        await scene.PullAsync(Image, RepositoryName.Parse(Own));
        Assert.All(
            Image.Blobs,
            blob => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(new StoreLayout(scene.DataPath).Blob(blob.Digest))));
    }

    [Fact]
    public async Task A_dry_run_says_what_there_is_and_does_nothing()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        data.Add(Own, Image, "1.0", "2.0");

        var dry = await scene.RunAsync("adopt", data.Path, "--dry-run");

        Assert.Equal(
            (0,
                $"{Own}: 2 tags, 1 manifest, 1 of them to be taken over\n{data.Path}: 1 repository, 2 tags, 1 manifest, 4 blobs ({Image.Blobs.Sum(blob => blob.Size) / 1024.0:F1} KiB), "
                    + "0 of them already here (0 B); nothing was done\n",
                ""),
            (dry.Code, dry.Output, dry.Error));
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/manifests/1.0")).Status);
        Assert.Empty(Directory.GetFiles(new StoreLayout(scene.DataPath).Blobs, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Names_that_nobody_reaches_are_said_with_the_line_to_write()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        data.Add("team-a/app", Image, "1.0");
        data.Add("team-a/web", Image, "1.0");
        data.Add("docker.io/app", Image, "1.0");
        data.Add("single", Image, "1.0");

        var adopted = await scene.RunAsync("adopt", data.Path);
        var prefixed = await scene.RunAsync("adopt", data.Path, "--as", "own/old");

        Assert.Equal(0, adopted.Code);
        Assert.Equal(
            "mirror: not reached yet, because these names are not this registry's own: team-a/app, team-a/web. In the configuration, write:\n"
                + "local: [\"*\", \"own/**\", \"team-a/**\"]\n"
                + "mirror: not reached, because their names begin with a configured registry's: docker.io/app. Take them over with --as and another name before theirs\n",
            adopted.Error);
        Assert.Equal((0, ""), (prefixed.Code, prefixed.Error));
        await scene.PullAsync(Image, RepositoryName.Parse("own/old/docker.io/app"));
        await scene.PullAsync(Image, RepositoryName.Parse("single"));
    }

    [Fact]
    public async Task A_blob_that_was_pushed_under_a_sha512_digest_is_here_under_it()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        var blob = TestBlob.Create(1000, seed: 9);
        var long512 = Digest.Of(DigestAlgorithm.Sha512, blob.Content.Span);
        data.AddBlob(Own, blob);
        DistributionData.Write($"{blob.Digest}", data.LayerFile(Own, long512));

        Assert.Equal(0, (await scene.RunAsync("adopt", data.Path)).Code);

        await scene.GetExactlyAsync($"/v2/{Own}/blobs/{long512}", blob);
        await scene.GetExactlyAsync($"/v2/{Own}/blobs/{blob.Digest}", blob);
    }

    [Fact]
    public async Task What_a_hostile_directory_holds_is_named_and_never_followed()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        using var elsewhere = new DistributionData();
        var secret = TestImage.Create(seed: 7);
        elsewhere.Add("secret", secret, "1.0");
        data.Add(Own, Image, "good");
        data.Add("Upper/case", TestImage.Create(seed: 2), "1.0");
        data.AddManifest(Own, TestBlob.Of("""{"schemaVersion":1,"name":"old","tag":"1"}"""u8.ToArray()), "schema1");
        data.AddManifest(Own, TestBlob.Of("no manifest \u001b[31m"u8.ToArray()), "rubbish");
        data.AddManifest(Own, TestBlob.Of(new byte[Manifest.MaxSize + 1]), "huge");
        data.AddManifest(Own, TestBlob.Of(ReadOnlyMemory<byte>.Empty), "empty");
        DistributionData.Write("sha256:nonsense", data.TagFile(Own, "nonsense"));
        DistributionData.Write(new string('x', 10_000_000), data.TagFile(Own, "long"));
        DistributionData.Write("", data.TagFile(Own, "nothing"));
        DistributionData.Write($"{Image.Digest}", data.TagFile(Own, "not a tag\u001b[31m"));
        DistributionData.Write($"{Image.Digest}", data.Combine("repositories", Own, "_layers", "md5", "d41d8cd98f00b204e9800998ecf8427e", "link"));
        DistributionData.Write($"{Image.Digest}", data.RevisionFile(Own, secret.Digest));
        DistributionData.Write($"{Image.Layer.Digest}", data.LayerFile(Own, secret.Layer.Digest));
        var outside = elsewhere.Combine("repositories", "secret");
        Directory.CreateSymbolicLink(data.Combine("repositories", "own", "out"), outside);
        Directory.CreateSymbolicLink(data.Combine("repositories", "own", "loop"), data.Combine("repositories"));
        Directory.CreateDirectory(data.Combine("repositories", "own", "half", "_layers"));
        Directory.CreateSymbolicLink(data.Combine("repositories", "own", "half", "_manifests"), System.IO.Path.Combine(outside, "_manifests"));
        File.CreateSymbolicLink(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(data.TagFile(Own, "good"))!, "..", "..", "x"), "/etc/passwd");
        DistributionData.Write($"{secret.Config.Digest}", data.LayerFile(Own, secret.Config.Digest));
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(data.BlobFile(secret.Config.Digest))!);
        File.CreateSymbolicLink(data.BlobFile(secret.Config.Digest), elsewhere.BlobFile(secret.Config.Digest));

        var adopted = await scene.RunAsync("adopt", data.Path, "--json");

        Assert.Equal(3, adopted.Code);
        await scene.GetExactlyAsync($"/v2/{Own}/manifests/good", Image.Manifest);
        Assert.Equal("""["good"]""", JsonDocument.Parse((await scene.GetAsync($"/v2/{Own}/tags/list")).Body).RootElement.GetProperty("tags").GetRawText());
        foreach (var blob in secret.Blobs.Append(secret.Manifest))
        {
            Assert.False(File.Exists(new StoreLayout(scene.DataPath).Blob(blob.Digest)));
        }

        Assert.DoesNotContain('\u001b', adopted.Error);
        foreach (var named in new[]
        {
            "Upper/case: this is not", "(tag schema1): the manifest is Docker schema 1", "(tag rubbish): the manifest is not valid JSON",
            "(tag huge): a manifest has at most", "(tag empty): the manifest is not valid JSON", "tags/nonsense/current/link: does not say a digest",
            "tags/long/current/link: does not say a digest", "tags/nothing/current/link: does not say a digest", $"{Own}:not a tag\\u001b[31m: this is not a tag",
            "_layers/md5/d41d8cd98f00b204e9800998ecf8427e: is not the name", $"{Own}@{secret.Digest}: its link says another digest",
            $"{secret.Layer.Digest}: it is damaged", "repositories/own/out: is a symbolic link", "repositories/own/loop: is a symbolic link",
            "repositories/own/half/_manifests: is a symbolic link", "tags/x: is a symbolic link", $"{secret.Config.Digest}: it can not be taken over: it is a symbolic link",
        })
        {
            Assert.Contains(named, adopted.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_proxys_cache_and_what_is_no_registry_are_refused_with_the_reason()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        using var data = new DistributionData();
        using var empty = new TemporaryDirectory();
        data.Add("own/alpine", Image, "3");
        File.WriteAllText(System.IO.Path.Combine(data.Path, "scheduler-state.json"), "{}");

        var cache = await scene.RunAsync("adopt", data.Combine());
        var forced = await scene.RunAsync("adopt", data.Combine(), "--force");
        var other = await scene.RunAsync("adopt", empty.Path);
        var missing = await scene.RunAsync("adopt", empty.Combine("nowhere"));
        var misused = await scene.RunAsync("adopt", data.Path, "--as", "Not/A/Name");

        Assert.Equal((1, ""), (cache.Code, cache.Output));
        Assert.Contains("what a pull-through proxy keeps of another registry", cache.Error, StringComparison.Ordinal);
        Assert.Equal(0, forced.Code);
        await scene.PullAsync(Image, RepositoryName.Parse("own/alpine"));
        Assert.Equal((1, $"mirror: {empty.Path} is not the data directory of a registry: there is no docker/registry/v2 in it that may be read\n"), (other.Code, other.Error));
        Assert.Equal(1, missing.Code);
        Assert.Contains("does not exist", missing.Error, StringComparison.Ordinal);
        Assert.Equal(2, misused.Code);
        Assert.Equal(400, (await scene.AskSocketAsync("POST", "/adopt", """{"path":"relative"}""")).Status);
        Assert.Equal(405, (await scene.AskSocketAsync("GET", "/adopt")).Status);
    }
}
