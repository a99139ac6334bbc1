using System.Net;
using System.Text.Json;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.AcceptanceTests;

/// <summary>What was acknowledged survives, and what was not is not there by half.</summary>
public sealed class PushCrashTests(ITestOutputHelper output)
{
    private const int PusherCount = 4;

    private static readonly TimeSpan OlderThanTheSweepSpares = TimeSpan.FromDays(8);

    /// <summary>Five times, or forty where MIRROR_LONG is set.</summary>
    [Fact]
    public async Task Killed_at_any_moment_of_many_pushes_it_has_all_that_was_acknowledged_and_nothing_by_half_though_its_database_is_lost_too()
    {
        var rounds = Environment.GetEnvironmentVariable("MIRROR_LONG") is null ? 5 : 40;
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var pushes = Enumerable.Range(0, PusherCount).Select(number => new Pushes($"team/app{number}", number)).ToList();
        var interrupted = 0;
        await using var mirror = await MirrorProcess.StartAloneAsync();
        for (var round = 1; round <= rounds; round++)
        {
            await PushUntilKilledAsync(mirror, pushes, round, answers: random.Next(1, 250));
            interrupted += mirror.StagedFiles().Count();
            foreach (var file in mirror.StagedFiles())
            {
                File.SetLastWriteTimeUtc(file, File.GetLastWriteTimeUtc(file) - OlderThanTheSweepSpares);
            }

            if (round % 2 == 0)
            {
                await LoseDatabaseAsync(mirror);
            }

            await mirror.StartAsync();
            Assert.Empty(mirror.StagedFiles());
            await Task.WhenAll(pushes.Select(pushed => pushed.AssertAreThereAsync(mirror)));
        }

        Assert.True(interrupted > 0, "nothing was being received at any of these moments: nothing was tried");
        output.WriteLine($"{pushes.Sum(pushed => pushed.Acknowledged)} pushes were acknowledged, {interrupted} uploads interrupted");
    }

    /// <summary>Pushes with all clients at once, and kills the mirror when they have had so many answers together.</summary>
    private static async Task PushUntilKilledAsync(MirrorProcess mirror, List<Pushes> pushes, int round, int answers)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var had = 0;
        using var pusher = new HttpPusher(mirror.Url, () =>
        {
            if (Interlocked.Increment(ref had) >= answers)
            {
                reached.TrySetResult();
            }
        });
        var running = pushes.ConvertAll(pushed => pushed.PushAsync(pusher, round, reached.Task));
        await Task.WhenAny([reached.Task, .. running]);
        await mirror.KillAsync();
        await Task.WhenAll(running);
    }

    /// <summary>And has it made again from what else there is.</summary>
    private static async Task LoseDatabaseAsync(MirrorProcess mirror)
    {
        foreach (var file in Directory.EnumerateFiles(mirror.DataPath, "mirror.db*"))
        {
            File.Delete(file);
        }

        (await mirror.CommandAsync("rebuild")).Succeeded();
    }

    /// <summary>What one client has pushed, to its own repository: each image under a tag of its own, and under one that moves.</summary>
    private sealed class Pushes(string repository, int number)
    {
        private const string Moving = "latest";

        private readonly Dictionary<string, TestImage> _begun = [];
        private readonly HashSet<string> _acknowledged = [];
        private readonly List<TestImage> _mayBeLatest = [];

        public int Acknowledged => _acknowledged.Count;

        /// <summary>Pushes one image after the other until the mirror is killed.</summary>
        public async Task PushAsync(HttpPusher pusher, int round, Task killed)
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    // Of each two images, one is pushed by all clients at about the same time.
                    var image = TestImage.Create(layers: 2, layerSize: 100_000, seed: (round * 10_000) + i + (i % 2 * number * 1000));
                    var tag = $"{round}-{i}";
                    _begun[tag] = image;
                    _mayBeLatest.Add(image);
                    await pusher.PushAsync(repository, image, $"{tag}?tag={Moving}");
                    _acknowledged.Add(tag);
                    _mayBeLatest.RemoveRange(0, _mayBeLatest.Count - 1);
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException && killed.IsCompleted)
            {
                // The mirror was killed.
            }
        }

        public async Task AssertAreThereAsync(MirrorProcess mirror)
        {
            using var http = new HttpClient { BaseAddress = mirror.Url };
            var listed = await ListTagsAsync(http);
            Assert.Subset(listed.ToHashSet(), _acknowledged);
            foreach (var tag in listed)
            {
                var manifest = await http.GetByteArrayAsync($"/v2/{repository}/manifests/{tag}");
                var image = tag == Moving ? Latest(manifest) : _begun[tag];
                Assert.Equal(image.Manifest.Content.ToArray(), manifest);
                foreach (var blob in image.Blobs)
                {
                    Assert.Equal(blob.Digest, Digest.Sha256(await http.GetByteArrayAsync($"/v2/{repository}/blobs/{blob.Digest}")));
                }
            }
        }

        private TestImage Latest(byte[] manifest) =>
            Assert.Single(_mayBeLatest, image => image.Manifest.Content.Span.SequenceEqual(manifest));

        private async Task<List<string>> ListTagsAsync(HttpClient http)
        {
            using var answer = await http.GetAsync($"/v2/{repository}/tags/list?n=1000");
            if (answer.StatusCode == HttpStatusCode.NotFound)
            {
                return [];
            }

            answer.EnsureSuccessStatusCode();
            Assert.False(answer.Headers.Contains("Link"));
            var tags = (await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync())).RootElement.GetProperty("tags");
            return [.. tags.EnumerateArray().Select(tag => tag.GetString()!)];
        }
    }
}
