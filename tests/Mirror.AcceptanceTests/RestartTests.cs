using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

public sealed class RestartTests
{
    private static readonly RepositoryName Repository = RepositoryName.Parse("library/large");

    [Fact]
    public async Task A_mirror_starts_and_serves_what_it_has_when_every_upstream_is_down()
    {
        var image = TestImage.Create(layers: 3, layerSize: 2_000_000);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        // Never fresh: each pull of the tag would ask upstream if it could.
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url, tagFreshness: "0s");
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
        await upstream.StopAsync();
        await mirror.HoldsAsync(Repository, image.Blobs.Select(blob => blob.Digest));

        mirror.Terminate();
        Assert.Equal(0, await mirror.ExitedAsync());
        await mirror.StartAsync();
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");

        await mirror.KillAsync();
        await mirror.StartAsync();
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
    }

    [Fact]
    public async Task Killed_at_half_of_a_layer_it_fetches_only_the_rest()
    {
        var image = TestImage.Create(layers: 1, layerSize: 4_000_000);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        var gate = new Gate();
        upstream.On(HttpMethod.Get, image.Layer.Digest).Times(1).Do(Behaviour.Drip(64 * 1024, gate));
        gate.ReleaseBytes(2_000_000);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        using var client = await RawHttp.ConnectAsync(mirror.Url);
        await client.SendAsync(RawHttp.Request(mirror.Url, "GET", $"/v2/{Repository}/blobs/{image.Layer.Digest}"));
        await client.ReadHeadAsync();
        await client.ReadBodyAsync(1_999_999);

        await mirror.KillAsync();
        await mirror.StartAsync();
        upstream.ClearRequests();
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");

        Assert.Equal("bytes=2000000-", Assert.Single(upstream.RequestsFor(image.Layer.Digest)).Header("Range"));
    }

    [Fact]
    public async Task Killed_at_any_moment_of_a_pull_it_starts_again_with_nothing_wrong_and_the_pull_succeeds()
    {
        var rounds = Environment.GetEnvironmentVariable("MIRROR_LONG") is null ? 6 : 40;
        var moments = new Random(20);
        var interrupted = 0;
        await using var upstream = await FakeRegistry.StartAsync();
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        List<(TestImage Image, string Tag)> images = [];
        for (var round = 1; round <= rounds; round++)
        {
            var image = TestImage.Create(layers: 4, layerSize: 8 * 1024 * 1024, seed: round);
            images.Add((image, $"{round}"));
            upstream.Add(Repository, image, $"{round}");

            // One past the end is the moment when clients have everything and the mirror still has to publish it.
            await KillAfterAsync(mirror, image, $"{round}", moments.NextInt64(image.Blobs.Sum(blob => blob.Size) + 1));
            interrupted += mirror.StagedFiles().Any() ? 1 : 0;
            await mirror.StartAsync();
            AssertPublishedFilesAreRight(mirror);
            foreach (var (known, tag) in images)
            {
                await PulledImage.AssertIsAsync(known, mirror, Repository, tag);
            }
        }

        Assert.True(interrupted > 0, "no download was running at any of these moments: nothing was tried");
        await upstream.StopAsync();
        await mirror.HoldsAsync(Repository, images.SelectMany(known => known.Image.Blobs).Select(blob => blob.Digest));
        AssertPublishedFilesAreRight(mirror);
    }

    [Fact]
    public async Task Killed_while_it_makes_the_database_again_it_leaves_the_old_one()
    {
        var image = TestImage.Create(layers: 2, layerSize: 2_000_000);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
        await upstream.StopAsync();
        await mirror.HoldsAsync(Repository, image.Blobs.Select(blob => blob.Digest));
        await mirror.KillAsync();
        var endless = Path.Combine(mirror.DataPath, "blobs", "sha256", "00", new string('0', 64));
        Directory.CreateDirectory(Path.GetDirectoryName(endless)!);
        using (var file = File.OpenHandle(endless, FileMode.Create, FileAccess.Write))
        {
            // A hole that takes minutes to read.
            RandomAccess.SetLength(file, 1L << 40);
        }

        var building = Path.Combine(mirror.DataPath, "mirror.db.building");
        await using (var rebuild = mirror.StartCommand("rebuild"))
        {
            await Poll.UntilAsync(() => Task.FromResult(File.Exists(building)), TimeSpan.FromSeconds(30), () => "it has not begun");
            await rebuild.KillAsync();
        }

        File.Delete(endless);
        await mirror.StartAsync();
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
        Assert.False(File.Exists(building));

        await mirror.KillAsync();
        File.Delete(Path.Combine(mirror.DataPath, "mirror.db"));
        (await MirrorProcess.RunAsync("rebuild", "-c", mirror.ConfigurationFile)).Succeeded();
        await mirror.StartAsync();
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
    }

    /// <summary>Pulls all of an image at once, and kills the mirror when the clients together have got so many bytes.</summary>
    private static async Task KillAfterAsync(MirrorProcess mirror, TestImage image, string tag, long bytes)
    {
        using var http = new HttpClient { BaseAddress = mirror.Url };
        Assert.Equal(image.Manifest.Content.ToArray(), await http.GetByteArrayAsync($"/v2/{Repository}/manifests/{tag}"));
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var received = 0L;
        var pulls = image.Blobs.Select(blob => ReadAsync(blob.Digest)).ToList();
        await Task.WhenAny(reached.Task, Task.WhenAll(pulls));
        await mirror.KillAsync();
        await Task.WhenAll(pulls);

        async Task ReadAsync(Digest digest)
        {
            var buffer = new byte[64 * 1024];
            try
            {
                await using var body = await http.GetStreamAsync($"/v2/{Repository}/blobs/{digest}");
                while (await body.ReadAsync(buffer) is > 0 and var read)
                {
                    if (Interlocked.Add(ref received, read) >= bytes)
                    {
                        reached.TrySetResult();
                    }
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException && reached.Task.IsCompleted)
            {
                // The mirror was killed.
            }
        }
    }

    private static void AssertPublishedFilesAreRight(MirrorProcess mirror)
    {
        var files = mirror.PublishedFiles();
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.Equal(file.Digest, Digest.Of(file.Digest.Algorithm, File.ReadAllBytes(file.File))));
    }
}
