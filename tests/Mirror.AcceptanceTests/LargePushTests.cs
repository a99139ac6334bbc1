using System.Security.Cryptography;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

public sealed class LargePushTests
{
    private const string Repository = "team/large";
    private const int Chunk = 8 * 1024 * 1024;

    /// <summary>The layer has 2 GiB where MIRROR_LONG is set, and 64 MiB otherwise.</summary>
    [Fact]
    public async Task A_push_whose_server_was_killed_in_the_middle_of_a_chunk_goes_on_where_it_stood()
    {
        var layer = new GeneratedLayer((Environment.GetEnvironmentVariable("MIRROR_LONG") is null ? 64L : 2048L) * 1024 * 1024, seed: 5);
        var digest = await layer.DigestAsync();
        await using var mirror = await MirrorProcess.StartAloneAsync();
        using var pusher = new HttpPusher(mirror.Url);
        var location = await pusher.BeginAsync(Repository);
        location = await PushAsync(pusher, location, layer, 0, layer.Size / 2);

        await BreakInTheMiddleAsync(mirror, pusher, location, layer, layer.Size / 2);
        await mirror.StartAsync();
        var received = await pusher.LengthAsync(location);
        location = await PushAsync(pusher, location, layer, received, layer.Size);
        await pusher.FinishAsync(location, digest);

        // What was acknowledged is there, and of the chunk that broke off what had arrived of it.
        Assert.Equal((layer.Size / 2) + (Chunk / 2), received);
        Assert.Equal((layer.Size, digest), await PullAsync(mirror, digest));
        Assert.Equal(digest, Assert.Single(mirror.PublishedFiles()).Digest);
        Assert.Empty(mirror.StagedFiles());
    }

    private static async Task<Uri> PushAsync(HttpPusher pusher, Uri location, GeneratedLayer layer, long from, long to)
    {
        for (var at = from; at < to; at += Chunk)
        {
            using var content = ChunkOf(layer, at, Math.Min(at + Chunk, to), Task.CompletedTask);
            location = await pusher.AppendAsync(location, content);
        }

        return location;
    }

    /// <summary>Sends a chunk, and kills the mirror when it has half of it.</summary>
    private static async Task BreakInTheMiddleAsync(MirrorProcess mirror, HttpPusher pusher, Uri location, GeneratedLayer layer, long from)
    {
        var rest = new TaskCompletionSource();
        using var content = ChunkOf(layer, from, from + Chunk, rest.Task);
        var push = pusher.AppendAsync(location, content);
        await Poll.UntilAsync(
            () => Task.FromResult(mirror.StagedFiles().Any(file => new FileInfo(file).Length >= from + (Chunk / 2))),
            TimeSpan.FromSeconds(30),
            () => "half of the chunk does not arrive");
        await mirror.KillAsync();
        rest.SetResult();
        await Assert.ThrowsAsync<HttpRequestException>(() => push);
    }

    private static StreamContent ChunkOf(GeneratedLayer layer, long from, long to, Task half)
    {
        var content = new StreamContent(layer.Open(from, to, half));
        content.Headers.ContentLength = to - from;
        content.Headers.TryAddWithoutValidation("Content-Range", $"{from}-{to - 1}");
        return content;
    }

    private static async Task<(long Size, Digest Digest)> PullAsync(MirrorProcess mirror, Digest digest)
    {
        using var http = new HttpClient { BaseAddress = mirror.Url };
        using var answer = await http.GetAsync($"/v2/{Repository}/blobs/{digest}", HttpCompletionOption.ResponseHeadersRead);
        answer.EnsureSuccessStatusCode();
        var hash = await SHA256.HashDataAsync(await answer.Content.ReadAsStreamAsync());
        return (answer.Content.Headers.ContentLength.GetValueOrDefault(), Digest.Parse($"sha256:{Convert.ToHexStringLower(hash)}"));
    }
}
