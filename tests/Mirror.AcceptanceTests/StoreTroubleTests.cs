using System.Net;
using System.Security.Cryptography;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>A pull never fails because of the cache, whatever the disk does.</summary>
public sealed class StoreTroubleTests
{
    private static readonly RepositoryName Repository = RepositoryName.Parse("library/large");

    [FactWith("mount", AsRoot = true)]
    public async Task Four_clients_at_once_pull_an_image_that_is_three_times_as_large_as_the_disk()
    {
        var image = TestImage.Create(layers: 2, layerSize: 100 * 1024 * 1024);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        await using var disk = await SmallDisk.MountAsync(megabytes: 64);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url, dataPath: disk.Path);

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PullAsync(mirror, image)));

        Assert.Contains("writing files failed", await ReadyAsync(mirror), StringComparison.Ordinal);
        Assert.Contains(mirror.Log, line => line.Contains("The store is in trouble", StringComparison.Ordinal));

        // What is too large has left room for what is not.
        var small = TestImage.Create(layers: 1, layerSize: 1024 * 1024, seed: 2);
        upstream.Add(Repository, small, "small");
        await PullAsync(mirror, small, "small");
        // A download of what is too large may fail after that, and then the next that succeeds counts.
        var next = 3;
        await Poll.UntilAsync(IsWellAsync, TimeSpan.FromSeconds(30), () => "the store does not get well again");

        async Task<bool> IsWellAsync()
        {
            var tiny = TestImage.Create(layers: 1, layerSize: 1024, seed: next++);
            upstream.Add(Repository, tiny, $"{next}");
            await PullAsync(mirror, tiny, $"{next}");
            return await ReadyAsync(mirror) == "store: ok\n";
        }
    }

    [FactWith("mount", AsRoot = true)]
    public async Task A_mirror_whose_database_is_read_only_starts_and_is_pulled_from()
    {
        var image = TestImage.Create(layers: 2, layerSize: 100 * 1024 * 1024);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        mirror.Terminate();
        await mirror.ExitedAsync();
        var database = Path.Combine(mirror.DataPath, "mirror.db");
        (await Command.RunAsync("mount", ["--bind", database, database])).Succeeded();
        try
        {
            (await Command.RunAsync("mount", ["-o", "remount,bind,ro", database])).Succeeded();
            await mirror.StartAsync();

            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PullAsync(mirror, image)));
            await PullAsync(mirror, image);

            Assert.Contains("writing the database failed", await ReadyAsync(mirror), StringComparison.Ordinal);
        }
        finally
        {
            await mirror.KillAsync();
            (await Command.RunAsync("umount", ["--lazy", database])).Succeeded();
        }
    }

    private static async Task PullAsync(MirrorProcess mirror, TestImage image, string tag = "1")
    {
        using var http = new HttpClient { BaseAddress = mirror.Url };
        Assert.Equal(image.Manifest.Content.ToArray(), await http.GetByteArrayAsync($"/v2/{Repository}/manifests/{tag}"));
        foreach (var blob in image.Blobs)
        {
            using var answer = await http.GetAsync($"/v2/{Repository}/blobs/{blob.Digest}", HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            var hash = await SHA256.HashDataAsync(await answer.Content.ReadAsStreamAsync());
            Assert.Equal(blob.Digest.Hex, Convert.ToHexStringLower(hash));
        }
    }

    private static async Task<string> ReadyAsync(MirrorProcess mirror)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(new Uri(mirror.Url, "/readyz"));
    }
}
