using System.Text;
using System.Text.Json;
using Mirror.Administration;
using Mirror.Commands;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Administration;

public sealed class WarmTests
{
    private const string LongPattern = "longer than any name can be: "
        + "----------------------------------------------------------------------------------------------------------------------------"
        + "----------------------------------------------------------------------------------------------------------------------------"
        + "----------------------------------------------------------------------------------------------------------------------------"
        + "----------------------------------------------------------------------------------------------------------------------------";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_warm_image_is_pulled_whole_with_upstream_stopped_whether_a_server_ran_or_not(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(serving);
        var index = TestIndex.Create(layers: 3, layerSize: 50_000);
        scene.Upstream.Add(CommandScene.Repository, index, "3.20");

        var run = await scene.RunAsync("warm", "alpine:3.20", "--json");

        Assert.Equal((0, ""), (run.Code, run.Error));
        var image = run.Json[0];
        Assert.Equal("docker.io/library/alpine:3.20", image.GetProperty("name").GetString());
        Assert.Equal(index.Digest.ToString(), image.GetProperty("digest").GetString());
        Assert.Equal(8, image.GetProperty("fetched").GetProperty("count").GetInt32());
        var size = index.Images.SelectMany(child => child.Blobs).Sum(blob => blob.Size);
        Assert.Equal(size, image.GetProperty("fetched").GetProperty("bytes").GetInt64());

        await scene.Upstream.StopAsync();
        await scene.ServeAsync();
        await scene.GetExactlyAsync("/v2/library/alpine/manifests/3.20", index.Manifest);
        foreach (var child in index.Images)
        {
            await scene.PullAsync(child);
        }
    }

    [Theory]
    [InlineData("alpine:3.20")]
    [InlineData("alpine@")]
    public async Task A_warm_image_that_everybody_may_read_is_pulled_with_upstream_stopped_where_there_are_credentials(string name)
    {
        await using var scene = await CommandScene.StartAsync(serving: false, options: ", username: mirror, password: secret");
        var image = TestImage.Create(layers: 2);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        scene.Upstream.RequireTokens("mirror", "secret");

        var run = await scene.RunAsync("warm", name.EndsWith('@') ? $"{name}{image.Digest}" : name);

        Assert.Equal((0, ""), (run.Code, run.Error));
        await scene.Upstream.StopAsync();
        await scene.ServeAsync();
        await scene.PullAsync(image);
    }

    [Fact]
    public async Task A_warm_image_that_only_our_credentials_can_read_is_shown_to_nobody()
    {
        await using var scene = await CommandScene.StartAsync(serving: true, options: ", username: mirror, password: secret");
        var image = TestImage.Create();
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        scene.Upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [CommandScene.Repository] });

        Assert.Equal(0, (await scene.RunAsync("warm", "alpine:3.20")).Code);

        await scene.Upstream.StopAsync();
        Assert.Equal(404, (await scene.GetAsync("/v2/library/alpine/manifests/3.20")).Status);
    }

    [Fact]
    public async Task What_is_here_already_is_not_fetched_again()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(layers: 2);
        scene.Upstream.Add(CommandScene.Repository, image, "latest");
        await scene.RunAsync("warm", "alpine");
        scene.Upstream.ClearRequests();

        var run = await scene.RunAsync("warm", "alpine");

        var size = Bytes.Human(image.Blobs.Sum(blob => blob.Size));
        var expected = $"docker.io/library/alpine:latest: complete; 0 blobs fetched (0 B), 3 already here ({size})\n";
        Assert.Equal(new CommandRun(0, expected, ""), run);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task An_image_that_is_for_another_platform_than_was_asked_for_is_not_called_complete()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(platform: new Platform("linux", "arm"));
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");

        var other = await scene.RunAsync("warm", "alpine:3.20", "--platform", "linux/arm64", "--platform", "linux/arm");
        Assert.Equal(3, other.Code);
        Assert.Contains("alpine:3.20: incomplete; 2 blobs", other.Output, StringComparison.Ordinal);
        Assert.Equal(
            $"mirror: docker.io/library/alpine:3.20: incomplete: {image.Digest}: it is for linux/arm alone, not for linux/arm64\n",
            other.Error);

        Assert.Equal(0, (await scene.RunAsync("warm", "alpine:3.20", "--platform", "linux/arm")).Code);
        Assert.Equal(0, (await scene.RunAsync("warm", $"alpine@{image.Digest}", "--platform", "linux/arm/v7")).Code);
    }

    [Fact]
    public async Task With_a_platform_only_that_image_of_an_index_is_fetched()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var index = TestIndex.Create();
        scene.Upstream.Add(CommandScene.Repository, index, "3.20");

        var arm = await scene.RunAsync("warm", "alpine:3.20", "--platform", "linux/arm64");

        Assert.Equal((0, ""), (arm.Code, arm.Error));
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, index.Images[1].Layer.Digest));
        Assert.Equal(0, scene.Upstream.Count(HttpMethod.Get, index.Images[0].Digest));
        Assert.Equal(0, scene.Upstream.Count(HttpMethod.Get, index.Images[0].Layer.Digest));

        var other = await scene.RunAsync("warm", "alpine:3.20", "--platform", "linux/arm64/v7", "--platform", "linux/s390x");

        Assert.Equal(1, other.Code);
        Assert.Contains("the index has no image for linux/arm64/v7", other.Error, StringComparison.Ordinal);
        Assert.Contains("the index has no image for linux/s390x", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_blob_that_upstream_lacks_costs_only_that_blob_and_exits_with_3()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(layers: 3);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        scene.Upstream.Remove(CommandScene.Repository, image.Layers[1].Digest);

        var run = await scene.RunAsync("warm", "alpine:3.20");

        Assert.Equal(3, run.Code);
        Assert.StartsWith("docker.io/library/alpine:3.20: incomplete; 3 blobs fetched", run.Output, StringComparison.Ordinal);
        var complaint = $"mirror: docker.io/library/alpine:3.20: incomplete: {image.Layers[1].Digest}: ";
        Assert.StartsWith(complaint, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task One_image_that_fails_is_no_reason_to_leave_the_next()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(), "3.20");

        var some = await scene.RunAsync("warm", "alpine:nope", "nowhere.example/app", "alpine:3.20", "--json");

        Assert.Equal(3, some.Code);
        Assert.Equal(3, some.Json.GetArrayLength());
        Assert.Equal("the name belongs to no configured registry", some.Json[1].GetProperty("error").GetString());
        Assert.Contains("mirror: docker.io/library/alpine:nope: ", some.Error, StringComparison.Ordinal);
        Assert.Contains("mirror: nowhere.example/app: the name belongs to no configured registry\n", some.Error, StringComparison.Ordinal);

        Assert.Equal(1, (await scene.RunAsync("warm", "alpine:nope")).Code);
    }

    [Fact]
    public async Task Progress_comes_a_line_at_a_time_before_the_result()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(layers: 3);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");

        var (status, answer) = await scene.AskSocketAsync("POST", "/warm", """{"images":["alpine:3.20"]}""");

        Assert.Equal(200, status);
        var lines = answer.TrimEnd().Split('\n').Select(line => JsonSerializer.Deserialize(line, Messages.Json.WarmLine)!).ToList();
        Assert.True(lines[^1].Image!.IsWhole);
        Assert.NotEmpty(lines[..^1]);
        var size = image.Blobs.Sum(blob => blob.Size);
        Assert.All(lines[..^1], line => Assert.Equal(("alpine:3.20", size), (line.Progress!.Image, line.Progress.TotalBytes)));
        Assert.Equal(size, lines[^2].Progress!.Bytes);
    }

    [Fact]
    public async Task A_running_download_is_joined()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(layerSize: 200_000);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.StallAfter(100_000, gate));
        await scene.GetAsync("/v2/library/alpine/manifests/3.20");
        var client = scene.GetAsync($"/v2/library/alpine/blobs/{image.Layer.Digest}");
        await scene.Upstream.Received(HttpMethod.Get, image.Layer.Digest);

        var warming = scene.RunAsync("warm", "alpine:3.20");
        await scene.Upstream.Received(HttpMethod.Get, image.Config.Digest);
        gate.Open();

        Assert.Equal(0, (await warming).Code);
        Assert.True((await client).IsComplete);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, image.Layer.Digest));
    }

    [Fact]
    public async Task Interrupting_the_command_leaves_the_download_to_those_who_follow_it()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(layerSize: 200_000);
        scene.Upstream.Add(CommandScene.Repository, image, "3.20");
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, image.Layer.Digest).Do(Behaviour.StallAfter(100_000, gate));
        using var stopping = new CancellationTokenSource();
        await using var error = new StringWriter();

        var warming = scene.RunAsync(TextWriter.Null, error, stopping.Token, "warm", "alpine:3.20");
        await scene.Upstream.Received(HttpMethod.Get, image.Layer.Digest);
        var client = scene.GetAsync($"/v2/library/alpine/blobs/{image.Layer.Digest}");
        await stopping.CancelAsync();

        Assert.Equal((1, "mirror: interrupted\n"), (await warming, error.ToString()));
        gate.Open();
        Assert.True((await client).IsComplete);
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Get, image.Layer.Digest));
    }

    [Fact]
    public async Task Layers_that_no_registry_has_are_left_out()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create();
        var foreign = TestBlob.Create(1000, seed: 5, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        scene.Upstream.Add(CommandScene.Repository, image);
        var manifest = TestBlob.Of(
            Encoding.UTF8.GetBytes($$"""
                {"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}",
                "config":{"mediaType":"{{MediaTypes.OciConfig}}","digest":"{{image.Config.Digest}}","size":{{image.Config.Size}}},
                "layers":[{"mediaType":"{{foreign.MediaType}}","digest":"{{foreign.Digest}}","size":{{foreign.Size}}},
                {"mediaType":"{{MediaTypes.OciLayerGzip}}","digest":"{{image.Layer.Digest}}","size":{{image.Layer.Size}}}]}
                """),
            MediaTypes.OciManifest);
        scene.Upstream.AddManifest(CommandScene.Repository, manifest, "windows");

        var run = await scene.RunAsync("warm", "alpine:windows");

        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Empty(scene.Upstream.RequestsFor(foreign.Digest));
        Assert.Contains(" yes ", (await scene.RunAsync("images")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_is_named_as_clients_name_it()
    {
        await using var lab = await FakeRegistry.StartAsync();
        await using var scene = await CommandScene.StartAsync(serving: true, lab: lab);
        var (official, own) = (TestImage.Create(seed: 1), TestImage.Create(seed: 2));
        scene.Upstream.Add(CommandScene.Repository, official, "latest", "3.20");
        lab.Add(RepositoryName.Parse("team/app"), own, "1");

        var meanings = new (string Name, string Meaning)[]
        {
            ("alpine", "docker.io/library/alpine:latest"),
            ("library/alpine:3.20", "docker.io/library/alpine:3.20"),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            ("index.docker.io/library/alpine:latest", "docker.io/library/alpine:latest"),
            ($"alpine@{official.Digest}", $"docker.io/library/alpine@{official.Digest}"),
            ($"docker.io/library/alpine:whatever@{official.Digest}", $"docker.io/library/alpine@{official.Digest}"),
            ("lab/team/app:1", "lab/team/app:1"),
            ($"{lab.Host}/team/app:1", "lab/team/app:1"),
        };

        var run = await scene.RunAsync(["warm", "--json", .. meanings.Select(pair => pair.Name)]);

        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(
            meanings.Select(pair => pair.Meaning), run.Json.EnumerateArray().Select(image => image.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task With_upstream_gone_a_stale_tag_whose_image_is_here_is_warm_and_says_so()
    {
        await using var scene = await CommandScene.StartAsync(serving: true, options: ", tagFreshness: 0s");
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(), "3.20");
        await scene.RunAsync("warm", "alpine:3.20");
        await scene.Upstream.StopAsync();

        var run = await scene.RunAsync("warm", "alpine:3.20");

        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains("upstream could not be asked", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_printed_as_JSON_is_JSON_also_when_it_is_interrupted()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var (first, second) = (TestImage.Create(seed: 1), TestImage.Create(seed: 2));
        scene.Upstream.Add(CommandScene.Repository, first, "1");
        scene.Upstream.Add(CommandScene.Repository, second, "2");
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, second.Layer.Digest).Do(Behaviour.Stall(gate));
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        using var stopping = new CancellationTokenSource();

        var warming = scene.RunAsync(output, error, stopping.Token, "warm", "--json", "alpine:1", "alpine:2");
        await scene.Upstream.Received(HttpMethod.Get, second.Layer.Digest);
        await stopping.CancelAsync();

        Assert.Equal((1, "mirror: interrupted\n"), (await warming, error.ToString()));
        var image = Assert.Single(new CommandRun(1, output.ToString(), "").Json.EnumerateArray());
        Assert.Equal("docker.io/library/alpine:1", image.GetProperty("name").GetString());
        gate.Open();
    }

    [Fact]
    public async Task A_name_that_is_not_right_is_told_why()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);

        Assert.StartsWith(
            "'Alpine:3.20' is not an image's name: write it in lower case.\n", (await scene.RunAsync("warm", "Alpine:3.20")).Error,
            StringComparison.Ordinal);
        Assert.Contains(":TAG or @DIGEST", (await scene.RunAsync("warm", "alpine:")).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("warm")]
    [InlineData("warm", "ALPINE")]
    [InlineData("warm", "alpine@sha256:abc")]
    [InlineData("warm", "alpine", "--platform", "linux")]
    [InlineData("refresh")]
    [InlineData("refresh", "alpine@sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("images", "a", "b")]
    [InlineData("images", LongPattern)]
    [InlineData("usage", "x")]
    public async Task Wrong_usage_exits_with_2_and_touches_no_store(params string[] arguments)
    {
        await using var scene = await CommandScene.StartAsync(serving: false);

        var run = await scene.RunAsync(arguments);

        Assert.Equal((2, ""), (run.Code, run.Output));
        Assert.EndsWith($"\n`mirror {arguments[0]} --help` says what it takes.\n", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(scene.DataPath));
    }

    [Theory]
    [InlineData("warm", "Exits with 0", " 3 ", " 1 ")]
    [InlineData("refresh", "Exits with 0", " 3 ", " 1 ")]
    [InlineData("images", "Exits with 0", " 1 ")]
    [InlineData("usage", "Exits with 0", " 1 ")]
    public async Task Help_names_the_exit_codes(string command, params string[] parts)
    {
        await using var scene = await CommandScene.StartAsync(serving: false);

        var run = await scene.RunAsync(command, "--help");

        Assert.Equal(0, run.Code);
        Assert.All(parts, part => Assert.Contains(part, run.Output, StringComparison.Ordinal));
    }
}
