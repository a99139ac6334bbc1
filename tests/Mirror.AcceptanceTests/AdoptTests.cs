using System.Net;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Moving in from <c>registry:2</c>: what it has written is taken over by <c>mirror adopt</c>, and clients pull it from Mirror.</summary>
[Collection(Clients.Name)]
public sealed class AdoptTests
{
    private static readonly RepositoryName App = RepositoryName.Parse("team/app");
    private static readonly RepositoryName Multi = RepositoryName.Parse("team/deep/multi");

    [FactWith("docker-registry", "skopeo")]
    public async Task What_a_registry_has_written_is_pulled_under_its_digests_and_what_its_disk_has_damaged_is_named()
    {
        var (good, second, deleted, damaged) = (ImageWith(1), ImageWith(2), ImageWith(3), ImageWith(4));
        var (amd64, arm64) = (ImageWith(5, "amd64"), ImageWith(6, "arm64"));
        var index = BuiltImage.IndexOf(amd64, arm64);
        await using var registry = await DistributionRegistry.StartAsync();
        await PushAsync(registry, App, "1.0", good.Manifest, [.. good.Blobs]);
        await PushAsync(registry, App, "untagged", second.Manifest, [.. second.Blobs]);
        await PushAsync(registry, App, "2.0", deleted.Manifest, [.. deleted.Blobs]);
        await PushAsync(registry, App, "3.0", damaged.Manifest, [.. damaged.Blobs]);
        await PushAsync(registry, Multi, "latest", index, [.. amd64.AllBlobs, .. arm64.AllBlobs]);
        await DeleteAsync(registry, deleted.Digest);
        await InterruptUploadAsync(registry);
        await registry.StopAsync();
        var v2 = Path.Combine(registry.DataPath, "docker", "registry", "v2");
        Directory.Delete(Path.Combine(v2, "repositories", "team", "app", "_manifests", "tags", "untagged"), recursive: true);
        var layer = damaged.Layers[0].Blob.Digest;
        await DamageAsync(Path.Combine(v2, "blobs", "sha256", layer.Hex[..2], layer.Hex, "data"));
        var before = DistributionData.Listing(registry.DataPath);
        await using var mirror = await MirrorProcess.StartAloneAsync();

        var adopted = await AdoptAsync(mirror, registry.DataPath);
        var again = await AdoptAsync(mirror, registry.DataPath);
        await mirror.KillAsync();
        await mirror.StartAsync();

        Assert.Equal(3, adopted.ExitCode);
        Assert.Equal(
            new[]
            {
                $"mirror: left out: {layer}: it is damaged: its bytes do not have this digest",
                $"mirror: left out: {App}@{damaged.Digest} (tag 3.0): it needs {layer}, and it is damaged: its bytes do not have this digest",
            },
            adopted.Error.TrimEnd().Split('\n').Order(StringComparer.Ordinal));
        Assert.Equal(before, DistributionData.Listing(registry.DataPath));
        Assert.Contains(" 0 linked (0 B), 0 copied (0 B), ", again.Output, StringComparison.Ordinal);
        using var tools = await ContainerTools.SetUpAsync(mirror.Host, ClientsPage.Pushing);
        Assert.Equal(good.Digest, await tools.SkopeoCopyAsync($"{mirror.Host}/{App}:1.0", tools.Combine("good")));
        Assert.Equal(second.Digest, await tools.SkopeoCopyAsync($"{mirror.Host}/{App}@{second.Digest}", tools.Combine("untagged")));
        (await tools.SkopeoAsync("copy", "--all", $"docker://{mirror.Host}/{Multi}:latest", $"dir:{tools.Combine("multi")}")).Succeeded();
        Assert.Equal(index.Digest, Digest.Sha256(await File.ReadAllBytesAsync(tools.Combine("multi", "manifest.json"))));
        using var http = new HttpClient { BaseAddress = mirror.Url };
        Assert.Equal("""{"name":"team/app","tags":["1.0"]}""", await http.GetStringAsync($"/v2/{App}/tags/list"));
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync($"/v2/{App}/manifests/{deleted.Digest}")).StatusCode);
    }

    [Fact]
    public async Task Killed_in_the_middle_it_goes_on_from_there_and_all_is_there_in_the_end()
    {
        using var data = new DistributionData();
        var image = TestImage.Create(layers: 150, layerSize: 1_000_000, seed: 1);
        data.Add($"{App}", image, "1.0");
        foreach (var blob in image.Blobs)
        {
            // Copies take longer than links.
            File.SetUnixFileMode(data.BlobFile(blob.Digest), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite);
        }

        var before = data.Listing();
        await using var mirror = await MirrorProcess.StartAloneAsync();
        mirror.Terminate();
        await mirror.ExitedAsync();

        await using (var killed = mirror.StartCommand("adopt", data.Path))
        {
            await Poll.UntilAsync(
                () => Task.FromResult(mirror.PublishedFiles().Count > 20), TimeSpan.FromSeconds(30), () => "nothing was taken over");
            await killed.KillAsync();
        }

        var had = mirror.PublishedFiles().Count;
        var adopted = await AdoptAsync(mirror, data.Path);
        await mirror.StartAsync();

        Assert.InRange(had, 20, 151);
        adopted.Succeeded();
        Assert.Matches(" [1-9][0-9]* already here ", adopted.Output);
        await PulledImage.AssertIsAsync(image, mirror, App, "1.0");
        Assert.Empty(mirror.StagedFiles());
        Assert.Equal(152, mirror.PublishedFiles().Count);
        Assert.Equal(before, data.Listing());
    }

    private static Task<Command> AdoptAsync(MirrorProcess mirror, string path) => MirrorProcess.RunAsync("adopt", path, "-c", mirror.ConfigurationFile);

    private static BuiltImage ImageWith(int seed, string? architecture = null) => BuiltImage.Of(
        new Platform("linux", architecture ?? DebianImage.Architecture), ["/nothing"], ImageLayer.OfFile("file", TestBlob.Bytes(300_000, seed)));

    private static async Task PushAsync(DistributionRegistry registry, RepositoryName repository, string tag, TestBlob root, IReadOnlyList<TestBlob> others)
    {
        using var layout = new ImageLayout();
        await layout.WriteAsync(root, others);
        await layout.PushAsync(registry, repository, tag);
    }

    private static async Task DeleteAsync(DistributionRegistry registry, Digest digest)
    {
        using var http = new HttpClient { BaseAddress = registry.Url };
        Assert.Equal(HttpStatusCode.Accepted, (await http.DeleteAsync($"/v2/{App}/manifests/{digest}")).StatusCode);
    }

    private static async Task InterruptUploadAsync(DistributionRegistry registry)
    {
        using var http = new HttpClient { BaseAddress = registry.Url };
        var begun = await http.PostAsync($"/v2/{App}/blobs/uploads/", content: null);
        var sent = await http.PatchAsync(begun.Headers.Location, new ByteArrayContent(TestBlob.Bytes(100_000)));
        Assert.Equal(HttpStatusCode.Accepted, sent.StatusCode);
    }

    private static async Task DamageAsync(string file)
    {
        var content = await File.ReadAllBytesAsync(file);
        content[content.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(file, content);
    }
}
