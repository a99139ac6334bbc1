using System.IO.Pipelines;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Registry;
using Mirror.Testing;
using Mirror.Tests.Local;

namespace Mirror.Tests.Registry;

/// <summary>Requests that are too large, too slow or too many are refused with what is right for each, and are nobody else's trouble.</summary>
public sealed class LimitTests
{
    private const string Repository = "team/app";
    private const string Uploads = $"/v2/{Repository}/blobs/uploads/";
    private static readonly TestBlob Index = TestIndex.Of(ImageFormat.Oci).Manifest;

    [Theory]
    [InlineData(16 * 1024, 200)]
    [InlineData((16 * 1024) + 1, 414)]
    public async Task A_request_line_may_have_16_KiB(int size, int status)
    {
        await using var registry = await OwnRegistry.StartAsync();
        const string around = "GET /v2/?x= HTTP/1.1\r\n";

        Assert.Equal(status, (await RawHttp.GetAsync(registry.Mirror.Url, $"/v2/?x={new string('x', size - around.Length)}")).Status);
    }

    [Fact]
    public async Task All_the_tags_that_may_go_with_a_manifest_fit_into_its_request_line()
    {
        await using var registry = await OwnRegistry.StartAsync();
        string[] tags = [.. Enumerable.Range(100, 100).Select(i => $"{i}{new string('x', 125)}")];

        var pushed = await registry.PutManifestAsync(Repository, Index, $"{tags[0]}?{string.Join('&', tags.Skip(1).Select(tag => $"tag={tag}"))}");
        var oneMore = await registry.PutManifestAsync(Repository, Index, $"more?{string.Join('&', tags.Select(tag => $"tag={tag}"))}");

        Assert.Equal(201, pushed.Status);
        Assert.Equal((414, "TAG_INVALID"), (oneMore.Status, oneMore.Error));
        var listed = JsonDocument.Parse((await registry.SendAsync("GET", $"/v2/{Repository}/tags/list")).Body).RootElement.GetProperty("tags");
        Assert.Equal(tags, listed.EnumerateArray().Select(tag => tag.GetString()));
    }

    [Fact]
    public async Task Headers_may_have_32_KiB_together_and_be_a_hundred()
    {
        await using var registry = await OwnRegistry.StartAsync();
        string[] Headers(int count, int size) => [.. Enumerable.Range(0, count).Select(i => $"X-{i}: {new string('x', size)}")];

        var token = await RawHttp.GetAsync(registry.Mirror.Url, "/v2/", $"X-Token: {new string('x', 30 * 1024)}");
        var tooLarge = await RawHttp.GetAsync(registry.Mirror.Url, "/v2/", Headers(2, 17 * 1024));
        var tooMany = await RawHttp.GetAsync(registry.Mirror.Url, "/v2/", Headers(100, 1));

        Assert.Equal((200, 431, 431), (token.Status, tooLarge.Status, tooMany.Status));
    }

    /// <summary>The web server has a clock of its own, which counts seconds: the test has its limits made short, and waits for what it does.</summary>
    [Fact]
    public async Task Who_does_not_finish_the_headers_is_told_and_who_says_nothing_more_is_left()
    {
        var moment = TimeSpan.FromSeconds(1);
        await using var registry = await OwnRegistry.StartAsync(
            server => server with { Limits = new ServerLimits { HeadersTimeout = moment, KeepAlive = moment } });
        using var slow = await RawHttp.ConnectAsync(registry.Mirror.Url);
        using var silent = await RawHttp.ConnectAsync(registry.Mirror.Url);
        using var done = await RawHttp.ConnectAsync(registry.Mirror.Url);

        await slow.SendAsync("GET /v2/ HTTP/1.1\r\nHost: mirror\r\n");
        await done.SendAsync(RawHttp.Request(registry.Mirror.Url, "GET", "/v2/"));
        var answer = await done.ReadResponseAsync();

        Assert.Equal(200, answer.Status);
        Assert.Equal(408, (await slow.ReadResponseAsync()).Status);
        await Assert.ThrowsAsync<EndOfStreamException>(() => silent.ReadHeadAsync());
        await Assert.ThrowsAsync<EndOfStreamException>(() => done.ReadHeadAsync());
    }

    [Fact]
    public void Nobody_is_hurried_who_is_not_very_slow()
    {
        var limits = new ServerOptions().Limits;

        Assert.Equal(TimeSpan.FromSeconds(30), limits.HeadersTimeout);
        Assert.True(limits.KeepAlive > TimeSpan.FromSeconds(90), "clients keep connections so long");
    }

    [Fact]
    public async Task A_manifest_that_turns_out_too_large_is_refused_with_the_registrys_error()
    {
        await using var registry = await OwnRegistry.StartAsync();
        using var client = await RawHttp.ConnectAsync(registry.Mirror.Url);

        await client.SendAsync(RawHttp.Request(
            registry.Mirror.Url, "PUT", $"/v2/{Repository}/manifests/1", $"Content-Type: {MediaTypes.OciManifest}", "Transfer-Encoding: chunked"));
        await client.SendAsync($"{Manifest.MaxSize + 1:x}\r\n{new string(' ', Manifest.MaxSize + 1)}\r\n");
        var answer = await client.ReadResponseAsync();

        Assert.Equal((413, "MANIFEST_INVALID"), (answer.Status, ErrorOf(answer)));
    }

    [Fact]
    public async Task A_manifest_that_trickles_in_is_given_up_after_two_minutes_and_holds_up_nobody()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var request = RawHttp.Request(
            registry.Mirror.Url, "PUT", $"/v2/{Repository}/manifests/slow", $"Content-Type: {MediaTypes.OciManifest}", $"Content-Length: {Manifest.MaxSize}");
        var time = registry.Mirror.Time;
        var timers = time.ArmedTimers;
        var trickles = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => RawHttp.ConnectAsync(registry.Mirror.Url)));
        await Task.WhenAll(trickles.Select(trickle => trickle.SendAsync($"{request}{{")));
        // Each waits for what comes next, and for the whole.
        await Poll.UntilAsync(() => time.ArmedTimers >= timers + (2 * trickles.Length), "not all of them are waited for");

        for (var waited = 0; waited < 3; waited++)
        {
            await time.TimerArmed(TimeSpan.FromMinutes(1));
            Assert.Equal(201, (await registry.PutManifestAsync(Repository, Index, "other")).Status);
            time.Advance(TimeSpan.FromSeconds(40));
            await trickles[0].SendAsync(" ");
        }

        var answer = await trickles[0].ReadResponseAsync();

        Assert.Equal((408, "close"), (answer.Status, answer.Head.Headers["Connection"]));
        foreach (var trickle in trickles)
        {
            trickle.Dispose();
        }

        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/manifests/slow")).Status);
    }

    [Fact]
    public void A_body_takes_memory_when_it_comes_and_not_when_it_is_announced()
    {
        var http = new DefaultHttpContext();
        http.Features.Set<IRequestBodyPipeFeature>(new SilentBody());
        http.Request.ContentLength = Manifest.MaxSize;
        var body = new RequestBody(http, TimeProvider.System);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var reading = body.ReadWholeAsync(Manifest.MaxSize);
        var taken = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.False(reading.IsCompleted);
        Assert.InRange(taken, 0, 256 * 1024);
    }

    [Fact]
    public async Task An_address_may_have_a_hundred_uploads_in_progress_and_takes_none_from_another()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var begun = new List<string>();
        for (var i = 0; i < global::Mirror.Local.Uploads.MaxPerClient; i++)
        {
            begun.Add(await registry.BeginAsync(Repository));
        }

        var oneMore = await registry.SendAsync("POST", Uploads);
        var whole = await registry.SendAsync("POST", $"{Uploads}?digest={Index.Digest}", Index.Content);
        using var neighbour = await RawHttp.ConnectAsync(registry.Mirror.Url, from: IPAddress.Parse("127.0.0.2"));
        await neighbour.SendAsync(RawHttp.Request(registry.Mirror.Url, "POST", Uploads, "Content-Length: 0"));
        var neighbours = await neighbour.ReadResponseAsync();
        await registry.SendAsync("DELETE", begun[0]);
        var afterOneEnded = await registry.SendAsync("POST", Uploads);

        Assert.Equal((429, "TOOMANYREQUESTS"), (oneMore.Status, oneMore.Error));
        Assert.NotNull(oneMore.Header("Retry-After"));
        Assert.Equal((429, 202, 202), (whole.Status, neighbours.Status, afterOneEnded.Status));
    }

    [Fact]
    public async Task What_a_chunk_should_have_is_said_and_smaller_ones_are_taken_all_the_same()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var blob = TestBlob.Create(300, seed: 9);

        var begun = await registry.SendAsync("POST", Uploads);
        var location = begun.Header("Location")!;
        await registry.SendAsync("PATCH", location, blob.Content[..100], ("Content-Range", "0-99"));
        var middle = await registry.SendAsync("PATCH", location, blob.Content[100..101], ("Content-Range", "100-100"));
        var last = await registry.SendAsync(
            "PUT", OwnRegistry.With(location, $"digest={blob.Digest}"), blob.Content[101..], ("Content-Range", "101-299"));

        Assert.Equal($"{4 * 1024 * 1024}", begun.Header("OCI-Chunk-Min-Length"));
        Assert.Equal((202, 201), (middle.Status, last.Status));
        await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{blob.Digest}", blob);
    }

    private static string? ErrorOf(RawResponse answer) =>
        JsonDocument.Parse(answer.Body).RootElement.GetProperty("errors")[0].GetProperty("code").GetString();

    private sealed class SilentBody : IRequestBodyPipeFeature
    {
        public PipeReader Reader { get; } = new Pipe().Reader;
    }
}
