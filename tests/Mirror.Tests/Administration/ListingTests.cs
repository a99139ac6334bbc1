using System.Text;
using System.Text.Json;
using Mirror.Commands;
using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Administration;

/// <summary><c>mirror images</c> and <c>mirror usage</c>.</summary>
public sealed class ListingTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_empty_store_is_said_to_be_empty(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(serving);

        Assert.Equal(new CommandRun(0, $"No image is cached in {scene.DataPath}.\n", ""), await scene.RunAsync("images"));
        var none = $"No image that is cached in {scene.DataPath} matches 'x*': `mirror images` without a pattern lists all.\n";
        Assert.Equal(new CommandRun(0, none, ""), await scene.RunAsync("images", "x*"));
        Assert.Equal(new CommandRun(0, "[]\n", ""), await scene.RunAsync("images", "--json"));
        var usage = await scene.RunAsync("usage");
        Assert.Equal((0, ""), (usage.Code, usage.Error));
        Assert.Contains("total             0   0 B      0   0 B", usage.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("alpine:3.20", 1)]
    [InlineData("alpine", 2)]
    [InlineData("library/alpine", 2)]
    [InlineData("docker.io/library/alpine:3.20", 1)]
    [InlineData("index.docker.io/alpine:3.21", 1)]
    [InlineData("alpine:3.2", 0)]
    [InlineData("alpin", 0)]
    [InlineData("*:3.2?", 2)]
    public async Task Images_are_listed_by_the_names_that_they_are_warmed_by(string pattern, int count)
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(), "3.20");
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(), "3.21");
        await scene.RunAsync("warm", "alpine:3.20", "alpine:3.21");

        Assert.Equal(count, (await scene.RunAsync("images", "--json", pattern)).Json.GetArrayLength());
    }

    [Fact]
    public async Task An_image_is_complete_when_config_and_layers_are_here_and_an_index_when_one_of_its_images_is()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(layers: 2, layerSize: 1024 * 1024, seed: 1);
        var index = TestIndex.Create(layerSize: 1024, seed: 2);
        scene.Upstream.Add(CommandScene.Repository, image, "partly");
        scene.Upstream.Add(CommandScene.Repository, index, "multi");
        await scene.GetAsync("/v2/library/alpine/manifests/partly");
        await scene.GetAsync($"/v2/library/alpine/manifests/multi");

        var before = await ListAsync(scene);
        await scene.RunAsync("warm", "alpine:partly");
        await scene.RunAsync("warm", "alpine:multi", "--platform", "linux/arm64");
        var after = await ListAsync(scene);

        Assert.Equal(["docker.io/library/alpine:multi", "docker.io/library/alpine:partly"], before.Keys);
        var size = image.Manifest.Size + image.Blobs.Sum(blob => blob.Size);
        AssertImage(before["docker.io/library/alpine:partly"], image.Digest, complete: false, here: image.Manifest.Size, size);
        AssertImage(after["docker.io/library/alpine:partly"], image.Digest, complete: true, here: size, size, "linux/amd64");

        var manifests = index.Manifest.Size + index.Images.Sum(child => child.Manifest.Size);
        var arm = index.Images[1];
        var blobs = arm.Blobs.Sum(blob => blob.Size);
        AssertImage(before["docker.io/library/alpine:multi"], index.Digest, complete: false, here: index.Manifest.Size, manifests);
        AssertImage(
            after["docker.io/library/alpine:multi"], index.Digest, complete: true,
            here: index.Manifest.Size + arm.Manifest.Size + blobs, manifests + blobs, "linux/arm64/v8");
        Assert.Equal(2, Number(after["docker.io/library/alpine:multi"], "manifests"));
        Assert.Equal(1, Number(after["docker.io/library/alpine:multi"], "manifestsHere"));

        var text = (await scene.RunAsync("images")).Output.TrimEnd().Split('\n');
        Assert.Equal(3, text.Length);
        Assert.Matches("^IMAGE +DIGEST +PLATFORMS +HERE +SIZE +COMPLETE +CHECKED \\(UTC\\)$", text[0]);
        var (multi, partly) = (index.Digest.ToString()[..19], image.Digest.ToString()[..19]);
        Assert.Matches($"^docker.io/library/alpine:multi +{multi} +linux/arm64/v8 \\(1 of 2\\) +[0-9.]+ KiB +[0-9.]+ KiB +yes +20", text[1]);
        Assert.Matches($"^docker.io/library/alpine:partly +{partly} +linux/amd64 +2.0 MiB +2.0 MiB +yes +20", text[2]);
        var column = text[0].IndexOf("COMPLETE", StringComparison.Ordinal);
        Assert.All(text[1..], line => Assert.Equal("yes ", line[column..(column + 4)]));
    }

    [Fact]
    public async Task A_pattern_chooses_by_full_names()
    {
        await using var lab = await FakeRegistry.StartAsync();
        await using var scene = await CommandScene.StartAsync(serving: true, lab: lab);
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(seed: 1), "3.19", "3.20");
        lab.Add(RepositoryName.Parse("team/app"), TestImage.Create(seed: 2), "3.20");
        await scene.RunAsync("warm", "alpine:3.19", "alpine:3.20", "lab/team/app:3.20");

        Assert.Equal(["docker.io/library/alpine:3.19", "docker.io/library/alpine:3.20"], (await ListAsync(scene, "docker.io/*")).Keys);
        Assert.Equal(["docker.io/library/alpine:3.20", "lab/team/app:3.20"], (await ListAsync(scene, "*:3.2?")).Keys);
        Assert.Empty(await ListAsync(scene, "alpin?"));
    }

    [Fact]
    public async Task More_images_than_a_page_holds_are_all_listed_once_and_in_order()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        var image = TestImage.Create(layerSize: 10);
        Assert.True(Manifest.TryParse(image.Manifest.Content, image.Manifest.MediaType, DigestAlgorithm.Sha256, out var manifest, out _));
        await using (var store = Store.Open(scene.DataPath, TimeProvider.System))
        {
            var blob = store.Blobs.Publish(manifest.Digest, manifest.Content.Span);
            foreach (var name in new[] { "a", "a-b", "a/b" })
            {
                var repository = new RepositoryKey("docker.io", RepositoryName.Parse(name));
                var tags = Enumerable.Range(0, 230).Select(number => new TagSighting(Tag.Parse($"{number}"), DateTimeOffset.UnixEpoch));
                await store.Metadata.RecordManifestAsync(repository, yesHolds: null, manifest, blob, [.. tags]);
            }
        }

        var names = (await ListAsync(scene)).Keys.ToList();

        Assert.Equal(690, names.Count);
        var sorted = names.OrderBy(name => name.Split(':')[0], StringComparer.Ordinal)
            .ThenBy(name => name.Split(':')[1], StringComparer.Ordinal);
        Assert.Equal(sorted, names);
        Assert.Equal(691, (await scene.RunAsync("images")).Output.TrimEnd().Split('\n').Length);
    }

    [Fact]
    public async Task What_an_upstream_writes_into_a_manifest_does_nothing_to_a_terminal()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var artifact = TestImage.Create(seed: 3, artifactType: "application/x\u001b[2J\nfake line");
        scene.Upstream.Add(CommandScene.Repository, artifact, "artifact");
        await scene.GetAsync("/v2/library/alpine/manifests/artifact");

        var run = await scene.RunAsync("images");

        Assert.Equal(0, run.Code);
        Assert.Equal(2, run.Output.TrimEnd().Split('\n').Length);
        Assert.DoesNotContain(run.Output, c => c == '\u001b');
    }

    [Fact]
    public async Task An_artifact_has_its_type_where_an_image_has_its_platform_and_a_damaged_config_is_no_surprise()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var repository = CommandScene.Repository;
        const string Surrogate = """{"os":"\ud800","architecture":"a"}""";
        foreach (var (tag, config) in new[] { ("empty", "{}"), ("list", "[1]"), ("text", "\"x\""), ("surrogate", Surrogate), ("none", "") })
        {
            var blob = TestBlob.Of(Encoding.UTF8.GetBytes(config), "application/vnd.example.config");
            scene.Upstream.AddBlob(repository, blob);
            var manifest = Encoding.UTF8.GetBytes($$"""
                {"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}",
                "config":{"mediaType":"{{blob.MediaType}}","digest":"{{blob.Digest}}","size":{{blob.Size}}},"layers":[]}
                """);
            scene.Upstream.AddManifest(repository, TestBlob.Of(manifest, MediaTypes.OciManifest), tag);
            Assert.Equal(0, (await scene.RunAsync("warm", $"alpine:{tag}")).Code);
        }

        var images = await ListAsync(scene);

        Assert.Equal(5, images.Count);
        Assert.All(images.Values, image => Assert.Equal("application/vnd.example.config", image.GetProperty("type").GetString()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Usage_counts_what_registries_share_once_in_the_total(bool serving)
    {
        await using var lab = await FakeRegistry.StartAsync();
        await using var scene = await CommandScene.StartAsync(serving, lab: lab);
        var image = TestImage.Create(layers: 2, layerSize: 100_000);
        scene.Upstream.Add(CommandScene.Repository, image, "1");
        lab.Add(RepositoryName.Parse("team/app"), image, "1");
        Assert.Equal(0, (await scene.RunAsync("warm", "alpine:1", "lab/team/app:1")).Code);
        await File.WriteAllBytesAsync(Path.Combine(scene.DataPath, "staged", $"sha256-{new string('a', 64)}-lab"), new byte[777]);

        var run = await scene.RunAsync("usage", "--json");

        Assert.Equal((0, ""), (run.Code, run.Error));
        var blobs = image.Blobs.Sum(blob => blob.Size);
        foreach (var registry in run.Json.GetProperty("registries").EnumerateArray().Append(run.Json))
        {
            Assert.Equal((1, image.Manifest.Size), Count(registry, "manifests"));
            Assert.Equal((3, blobs), Count(registry, "blobs"));
        }

        var names = run.Json.GetProperty("registries").EnumerateArray().Select(registry => registry.GetProperty("registry").GetString());
        Assert.Equal(["docker.io", "lab"], names);
        Assert.Equal((1, 777), Count(run.Json, "staged"));
        Assert.True(Number(run.Json, "databaseBytes") > 0);
        Assert.True(Number(run.Json, "freeBytes") > 0);
        Assert.Equal(scene.DataPath, run.Json.GetProperty("dataPath").GetString());

        var text = (await scene.RunAsync("usage")).Output;
        Assert.Matches($"(?m)^lab +1 +[0-9.]+ (Ki)?B +3 +{Bytes.Human(blobs)}$", text);
        Assert.Matches("(?m)^staged, in 1 files +777 B$", text);
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData((1024 * 1024) - 1, "1.0 MiB")]
    [InlineData(1024L * 1024 * 1024 * 5 / 2, "2.5 GiB")]
    [InlineData(long.MaxValue, "8.0 EiB")]
    public void Sizes_are_in_units_that_people_read(long bytes, string text) => Assert.Equal(text, Bytes.Human(bytes));

    private static async Task<Dictionary<string, JsonElement>> ListAsync(CommandScene scene, params string[] pattern)
    {
        var run = await scene.RunAsync(["images", "--json", .. pattern]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        return run.Json.EnumerateArray().ToDictionary(image => image.GetProperty("image").GetString()!);
    }

    private static void AssertImage(JsonElement image, Digest digest, bool complete, long here, long size, params string[] platforms)
    {
        Assert.Equal(digest.ToString(), image.GetProperty("digest").GetString());
        Assert.Equal(
            (complete, here, size),
            (image.GetProperty("complete").GetBoolean(), Number(image, "bytesHere"), Number(image, "bytes")));
        Assert.Equal(platforms, image.GetProperty("platforms").EnumerateArray().Select(platform => platform.GetString()));
    }

    private static long Number(JsonElement json, string name) => json.GetProperty(name).GetInt64();

    private static (long, long) Count(JsonElement json, string name) =>
        (Number(json.GetProperty(name), "count"), Number(json.GetProperty(name), "bytes"));
}
