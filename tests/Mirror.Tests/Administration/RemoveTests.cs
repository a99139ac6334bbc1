using System.Text.Json;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Administration;

/// <summary><c>mirror rm</c>, of what is cached and of what was pushed.</summary>
public sealed class RemoveTests
{
    private const string Path = "/v2/library/alpine/manifests/";
    private const string Own = "own/app";

    private static readonly TestImage Image = TestImage.Create(layers: 2, seed: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cached_tag_that_was_removed_is_nowhere_until_a_pull_or_a_refresh_brings_it_back(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(serving);
        scene.Upstream.Add(CommandScene.Repository, Image, "3.20");
        await scene.RunAsync("warm", "alpine:3.20");

        var removed = await scene.RunAsync("rm", "alpine:3.20");
        var listed = await scene.RunAsync("images", "--json");
        var usage = await scene.RunAsync("usage", "--json");
        var refreshed = await scene.RunAsync("refresh", "alpine:3.20");
        await scene.RunAsync("rm", "docker.io/library/alpine:3.20");
        await scene.ServeAsync();
        scene.Upstream.ClearRequests();
        await scene.GetExactlyAsync($"{Path}3.20", Image.Manifest);
        await scene.PullAsync(Image);

        Assert.Equal(new CommandRun(0, $"docker.io/library/alpine:3.20: removed, it was {Image.Digest}, which is gone too\n", ""), removed);
        Assert.Equal("[]\n", listed.Output);
        Assert.Equal(0, usage.Json.GetProperty("registries").GetArrayLength());
        Assert.Equal($"docker.io/library/alpine:3.20: new, {Image.Digest}\n", refreshed.Output);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, CommandScene.Repository, "3.20"));
        // Their bytes are still on the disk.
        Assert.All(Image.Blobs, blob => Assert.Equal(0, scene.Upstream.Count(HttpMethod.Get, blob.Digest)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_removed_is_an_outage_while_upstream_is_down_as_if_it_had_never_been_here(bool byDigest)
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        scene.Upstream.Add(CommandScene.Repository, Image, "3.20", "latest");
        await scene.RunAsync("warm", "alpine:3.20");
        await scene.GetExactlyAsync($"{Path}latest", Image.Manifest);
        await scene.GetAsync("/v2/library/alpine/tags/list");
        await scene.PullAsync(Image);

        var removed = byDigest
            ? await scene.RunAsync("rm", "--json", $"alpine@{Image.Digest}")
            : await scene.RunAsync("rm", "--json", "alpine:3.20", "alpine:latest");
        await scene.Upstream.StopAsync();

        Assert.Equal(0, removed.Code);
        Assert.Equal(
            ["3.20", "latest"],
            removed.Json.EnumerateArray().SelectMany(image => image.GetProperty("tags").EnumerateArray()).Select(tag => tag.GetString()));
        Assert.Equal(1, removed.Json.EnumerateArray().Sum(image => image.GetProperty("manifests").GetInt32()));
        foreach (var path in new[] { $"{Path}3.20", $"{Path}latest", $"{Path}{Image.Digest}", "/v2/library/alpine/tags/list" })
        {
            Assert.Equal(502, (await scene.GetAsync(path)).Status);
        }

        foreach (var blob in Image.Blobs)
        {
            Assert.Equal(502, (await scene.GetAsync($"/v2/library/alpine/blobs/{blob.Digest}")).Status);
        }
    }

    [Fact]
    public async Task What_another_image_of_the_repository_refers_to_stays()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var index = TestIndex.Create(seed: 5);
        var (tagged, other) = (index.Images[0], index.Images[1]);
        var sharing = TestImage.Create(layers: 3, seed: 1);
        scene.Upstream.Add(CommandScene.Repository, index, "multi");
        scene.Upstream.Add(CommandScene.Repository, tagged, "amd64");
        scene.Upstream.Add(CommandScene.Repository, Image, "two");
        scene.Upstream.Add(CommandScene.Repository, sharing, "three");
        await scene.RunAsync("warm", "alpine:multi", "alpine:amd64", "alpine:two", "alpine:three");

        var removed = await scene.RunAsync("rm", "--json", "alpine:multi", "alpine:two");
        await scene.Upstream.StopAsync();

        Assert.Equal([2, 1], removed.Json.EnumerateArray().Select(image => image.GetProperty("manifests").GetInt32()));
        await scene.GetExactlyAsync($"{Path}amd64", tagged.Manifest);
        await scene.PullAsync(tagged);
        await scene.PullAsync(sharing);
        Assert.Equal(502, (await scene.GetAsync($"{Path}{index.Digest}")).Status);
        Assert.Equal(502, (await scene.GetAsync($"{Path}{other.Digest}")).Status);
        Assert.Equal(502, (await scene.GetAsync($"/v2/library/alpine/blobs/{other.Layer.Digest}")).Status);
        Assert.Equal(502, (await scene.GetAsync($"/v2/library/alpine/blobs/{Image.Config.Digest}")).Status);
    }

    [Fact]
    public async Task An_image_that_an_index_refers_to_loses_its_tag_and_stays()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var index = TestIndex.Create(seed: 5);
        scene.Upstream.Add(CommandScene.Repository, index, "multi");
        scene.Upstream.Add(CommandScene.Repository, index.Images[0], "amd64");
        await scene.RunAsync("warm", "alpine:multi", "alpine:amd64");

        var removed = await scene.RunAsync("rm", "alpine:amd64");
        await scene.Upstream.StopAsync();

        Assert.Equal($"docker.io/library/alpine:amd64: removed, it was {index.Images[0].Digest}\n", removed.Output);
        Assert.Equal(502, (await scene.GetAsync($"{Path}amd64")).Status);
        await scene.GetExactlyAsync($"{Path}multi", index.Manifest);
        await scene.PullAsync(index.Images[0]);
    }

    [Fact]
    public async Task What_another_repository_of_the_registry_refers_to_stays_there()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var debian = RepositoryName.Parse("library/debian");
        scene.Upstream.Add(CommandScene.Repository, Image, "1");
        scene.Upstream.Add(debian, Image, "1");
        await scene.RunAsync("warm", "alpine:1", "debian:1");

        Assert.Equal(0, (await scene.RunAsync("rm", "--all", "alpine")).Code);
        await scene.Upstream.StopAsync();

        await scene.PullAsync(Image, debian);
        Assert.Equal(502, (await scene.GetAsync($"{Path}{Image.Digest}")).Status);
    }

    [Fact]
    public async Task A_running_download_is_not_broken_by_the_removal_of_its_image()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var gate = new Gate();
        scene.Upstream.Add(CommandScene.Repository, Image, "3.20");
        scene.Upstream.On(HttpMethod.Get, Image.Layer.Digest).Times(1).Do(Behaviour.StallAfter(1000, gate));
        await scene.GetExactlyAsync($"{Path}3.20", Image.Manifest);
        var running = scene.GetAsync($"/v2/library/alpine/blobs/{Image.Layer.Digest}");
        await gate.Reached(1000);

        Assert.Equal(0, (await scene.RunAsync("rm", "alpine:3.20")).Code);
        gate.Open();
        var answer = await running;

        Assert.Equal((200, true), (answer.Status, answer.IsComplete));
        Assert.True(answer.Body.AsSpan().SequenceEqual(Image.Layer.Content.Span));
    }

    [Fact]
    public async Task A_removal_is_in_the_journal()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        scene.Upstream.Add(CommandScene.Repository, Image, "3.20");
        await scene.RunAsync("warm", "alpine:3.20");
        var journal = System.IO.Path.Combine(scene.DataPath, "refs.log");
        var before = (await File.ReadAllLinesAsync(journal)).Length;

        await scene.RunAsync("rm", "alpine:3.20");
        var changes = (await File.ReadAllLinesAsync(journal)).Skip(before).Select(line => JsonDocument.Parse(line[17..]).RootElement).ToList();

        Assert.Equal("untag", changes[0].GetProperty("op").GetString());
        var contents = Image.Blobs.Append(Image.Manifest).Select(blob => blob.Digest.ToString()).Order();
        Assert.Equal(contents, DigestsOf("unlink"));
        Assert.Equal(contents, DigestsOf("unhold"));

        IEnumerable<string?> DigestsOf(string op) =>
            changes.Where(change => change.GetProperty("op").GetString() == op).Select(change => change.GetProperty("digest").GetString()).Order();
    }

    [Fact]
    public async Task What_was_pushed_loses_a_tag_or_a_manifest_with_its_tags_or_everything()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        await PushAsync(scene, Image, "1", "2", "3");

        Assert.Equal(3, (await scene.RunAsync("images", "--json", Own)).Json.GetArrayLength());
        var tag = await scene.RunAsync("rm", $"{Own}:1");
        Assert.Equal(new CommandRun(0, $"{Own}:1: removed, it was {Image.Digest}\n", ""), tag);
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/manifests/1")).Status);
        await scene.GetExactlyAsync($"/v2/{Own}/manifests/2", Image.Manifest);

        var manifest = await scene.RunAsync("rm", $"{Own}@{Image.Digest}");
        Assert.Equal(new CommandRun(0, $"{Own}@{Image.Digest}: removed, with the tags 2, 3\n", ""), manifest);
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/manifests/{Image.Digest}")).Status);
        await scene.GetExactlyAsync($"/v2/{Own}/blobs/{Image.Layer.Digest}", Image.Layer);

        await PushAsync(scene, Image, "1", "2");
        var all = await scene.RunAsync("rm", "--all", Own);
        Assert.Equal(new CommandRun(0, $"{Own}: removed, with 2 tags and 1 manifest\n", ""), all);
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/blobs/{Image.Layer.Digest}")).Status);
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/tags/list")).Status);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task A_repository_of_more_than_is_removed_at_once_goes_whole()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        await PushAsync(scene, Image, [.. Enumerable.Range(0, 401).Select(number => $"{number}")]);

        var run = await scene.RunAsync("rm", "--all", "--json", Own);

        Assert.Equal((401, 1), (run.Json[0].GetProperty("tags").GetArrayLength(), run.Json[0].GetProperty("manifests").GetInt32()));
        Assert.Equal(404, (await scene.GetAsync($"/v2/{Own}/tags/list")).Status);
        Assert.Equal("[]\n", (await scene.RunAsync("images", "--json")).Output);
    }

    [Fact]
    public async Task What_is_not_here_is_said_and_the_rest_is_removed()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        scene.Upstream.Add(CommandScene.Repository, Image, "3.20");
        await scene.RunAsync("warm", "alpine:3.20");
        string[] lacking = ["alpine:3.21", $"alpine@{Digest.Sha256("other"u8)}", $"alpine@{Image.Layer.Digest}", $"{Own}:1", "nowhere.example/app:1"];

        var some = await scene.RunAsync(["rm", "alpine:3.20", .. lacking]);
        var none = await scene.RunAsync(["rm", .. lacking]);

        Assert.Equal(3, some.Code);
        Assert.Single(some.Output.TrimEnd().Split('\n'));
        Assert.Equal((1, ""), (none.Code, none.Output));
        Assert.Equal(some.Error, none.Error);
        Assert.Equal(lacking.Length, none.Error.TrimEnd().Split('\n').Length);
        Assert.StartsWith("mirror: docker.io/library/alpine:3.21: there is no such thing here\n", none.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'alpine' says neither tag nor digest: write alpine:latest, or --all for the whole repository.", "alpine")]
    [InlineData("'alpine:3.20' says a tag or digest: with --all, name repositories alone.", "--all", "alpine:3.20")]
    public async Task A_name_that_could_mean_more_than_was_meant_is_refused(string hint, params string[] arguments)
    {
        await using var scene = await CommandScene.StartAsync(serving: false);

        var run = await scene.RunAsync(["rm", .. arguments]);

        Assert.Equal((2, ""), (run.Code, run.Output));
        Assert.StartsWith(hint, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("warm")]
    [InlineData("refresh")]
    public async Task A_name_of_our_own_is_not_looked_for_upstream(string command)
    {
        await using var scene = await CommandScene.StartAsync(serving: true);

        var run = await scene.RunAsync(command, $"{Own}:1");

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("this registry's own", run.Error, StringComparison.Ordinal);
        Assert.Empty(scene.Upstream.Requests);
    }

    private static async Task PushAsync(CommandScene scene, TestImage image, params string[] tags)
    {
        using var http = new HttpClient { BaseAddress = scene.Url };
        foreach (var blob in image.Blobs)
        {
            using var content = new ReadOnlyMemoryContent(blob.Content);
            using var pushed = await http.PostAsync(new Uri($"/v2/{Own}/blobs/uploads/?digest={blob.Digest}", UriKind.Relative), content);
            pushed.EnsureSuccessStatusCode();
        }

        foreach (var some in tags.Chunk(90))
        {
            using var manifest = new ReadOnlyMemoryContent(image.Manifest.Content);
            manifest.Headers.TryAddWithoutValidation("Content-Type", image.Manifest.MediaType);
            var query = string.Join('&', some.Select(tag => $"tag={tag}"));
            using var put = await http.PutAsync(new Uri($"/v2/{Own}/manifests/{image.Digest}?{query}", UriKind.Relative), manifest);
            put.EnsureSuccessStatusCode();
        }
    }
}
