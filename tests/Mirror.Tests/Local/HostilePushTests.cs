using System.Text;
using System.Text.Json;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>Whatever is pushed, by whatever path, the answer is a proper one, and nothing is written but what a registry has to write.</summary>
public sealed class HostilePushTests(HostilePushTests.OneRegistry registry) : IClassFixture<HostilePushTests.OneRegistry>
{
    private const string Repository = "team/app";

    private static readonly string Hex = new('a', 64);

    /// <summary>What is put where <c>@</c> is in <see cref="Places"/>.</summary>
    private static readonly string[] Evil =
    [
        "..", "../..", "../../../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e", "%2e%2e/%2e%2e", "%2e%2e%2f%2e%2e%2f", "%252e%252e%252f",
        ".%2e/", "..;/", "..\\..\\", "..%5c..%5c", "%5c", "\\", "%00", "a%00", "%00/../a", "%c0%ae%c0%ae/", "%c0%ae%c0%ae%c0%af", "%e0%80%ae%e0%80%ae",
        "%uff0e%uff0e", "%ff%fe", "\u00e9", ".", "./a", "", "/", "//", "~", "~root", "$HOME", "%20", "%0d%0aX-Injected:%20yes", "mirror.db", "lock", "staged",
        "blobs/sha256", "sha256:", $"sha256:../{Hex[3..]}", $"sha256:..%2f{Hex[3..]}", $"sha256:{Hex[1..]}", $"sha256:{Hex}a", $"sha256:{Hex.ToUpperInvariant()}",
        $"sha256:{Hex[1..]}%00", $"sha512:{Hex}", $"SHA256:{Hex}", $"sha256+b64:{Hex}", $"md5:{Hex[..32]}", $"sha256%3A{Hex}", $"blake3:{Hex}", $":{Hex}",
        new string('x', 256), new string('x', 5000), "'; DROP TABLE tags; --", "*", "%", "%2", "%zz", "{}", "<script>", "a?b", "a%3fb", "a%23b",
    ];

    private static readonly string[] Places =
    [
        "GET /@", "GET /v2/@", "GET /@/v2/team/app/tags/list", "GET /v2/@/tags/list", "PUT /v2/@/manifests/x", "DELETE /v2/@/manifests/x",
        "PUT /v2/team/@/manifests/x", "POST /v2/@/blobs/uploads/", "POST /v2/team/@/blobs/uploads/", "GET /v2/@/blobs/{known}",
        "GET /v2/team/app/manifests/@", "PUT /v2/team/app/manifests/@", "DELETE /v2/team/app/manifests/@", "PUT /v2/team/app/manifests/x?tag=@",
        "GET /v2/team/app/blobs/@", "DELETE /v2/team/app/blobs/@", "GET /v2/team/app/referrers/@", "GET /v2/team/app/referrers/{known}?artifactType=@",
        "GET /v2/team/app/referrers/{known}?last=@", "GET /v2/team/app/blobs/uploads/@", "PATCH /v2/team/app/blobs/uploads/@",
        "PUT /v2/team/app/blobs/uploads/@?digest={known}", "DELETE /v2/team/app/blobs/uploads/@", "PUT {upload}?digest=@", "PATCH {upload}/@",
        "PUT {upload}/../@?digest={known}", "POST /v2/team/app/blobs/uploads/?digest=@", "POST /v2/team/app/blobs/uploads/?mount={known}&from=@&digest={none}",
        "POST /v2/team/app/blobs/uploads/?mount=@&from=team/app&digest={none}", "POST /v2/team/app/blobs/uploads/?digest-algorithm=@&digest={none}",
        "GET /v2/team/app/tags/list?last=@", "GET /v2/team/app/tags/list?n=@", "GET /v2/_catalog?last=@", "GET /v2/_catalog?n=@", "GET /v2/team/app/tags/list?ns=@",
        "GET http://127.0.0.1/v2/@/manifests/x", "GET http://elsewhere.example/@", "GET file:///@",
    ];

    public static TheoryData<string> EvilPlaces => [.. Places];

    [Theory]
    [MemberData(nameof(EvilPlaces))]
    public async Task No_path_leads_anywhere_but_into_the_registry(string place)
    {
        var upload = await registry.Started.BeginAsync(Repository);
        var known = registry.Known.Digest;
        var target = place.Replace("{upload}", upload).Replace("{known}", $"{known}").Replace("{none}", $"{Digest.Sha256("none"u8)}");

        foreach (var evil in Evil)
        {
            var request = target.Replace("@", Latin(evil));
            var answer = await RawHttp.SendAsync(
                registry.Mirror.Url, RawHttp.Request(registry.Mirror.Url, request.Split(' ')[0], request[(request.IndexOf(' ') + 1)..], "Content-Length: 2") + "{}");

            registry.Proper(answer, request, mayHaveWorked: true);
            Assert.False(answer.Head.Headers.ContainsKey("X-Injected"), request);
        }

        await registry.Started.SendAsync("DELETE", upload);
        Assert.Empty(registry.Mirror.StrayFiles());
        await registry.Started.GetExactlyAsync($"/v2/{Repository}/blobs/{known}", registry.Known);
    }

    [Theory]
    [InlineData("GET * HTTP/1.1")]
    [InlineData("OPTIONS * HTTP/1.1")]
    [InlineData("CONNECT 127.0.0.1:22 HTTP/1.1")]
    [InlineData("GET v2/ HTTP/1.1")]
    [InlineData("GET /v2/ HTTP/9.9")]
    [InlineData("GET /v2/")]
    [InlineData("GET  /v2/ HTTP/1.1")]
    [InlineData("\u0001\u0002\u0003")]
    [InlineData("BREW /v2/team/app/manifests/1 HTTP/1.1")]
    [InlineData("get /v2/ HTTP/1.1")]
    public async Task What_is_no_request_is_refused(string line) => registry.Proper(
        await RawHttp.SendAsync(registry.Mirror.Url, $"{line}\r\nHost: {registry.Mirror.Url.Authority}\r\n\r\n"), line, mayHaveWorked: true);

    [Theory]
    [InlineData("Content-Length: -1", "{}")]
    [InlineData("Content-Length: 99999999999999999999", "{}")]
    [InlineData("Content-Length: 2, 3", "{}")]
    [InlineData("Content-Length: 2\r\nContent-Length: 3", "{}")]
    [InlineData("Content-Length: 0x2", "{}")]
    [InlineData("Content-Length: 2\r\nTransfer-Encoding: chunked", "0\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked", "ffffffffffffffff\r\n{}\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked", "-2\r\n{}\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked", "2;x=y\r\n{}3\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: gzip, chunked", "2\r\n{}\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: something", "{}")]
    [InlineData("Expect: a miracle\r\nContent-Length: 2", "{}")]
    public async Task A_body_whose_length_is_none_is_refused(string header, string body)
    {
        var upload = await registry.Started.BeginAsync(Repository);
        foreach (var target in new[] { $"PUT /v2/{Repository}/manifests/framed", $"PUT {upload}?digest={Digest.Sha256("none"u8)}" })
        {
            var request = $"{target} HTTP/1.1\r\nHost: {registry.Mirror.Url.Authority}\r\n{header}\r\n\r\n{body}";
            var answer = await RawHttp.SendAsync(registry.Mirror.Url, request);

            registry.Proper(answer, request, mayBreak: true);
        }

        await registry.Started.SendAsync("DELETE", upload);
        Assert.Equal(404, (await registry.Started.SendAsync("GET", $"/v2/{Repository}/manifests/framed")).Status);
    }

    [Fact]
    public async Task What_announces_more_than_it_sends_is_kept_nowhere()
    {
        await using var own = await OwnRegistry.StartAsync();
        var whole = TestBlob.Create(size: 3000, seed: 9);
        var upload = await own.BeginAsync(Repository);
        var requests = new[]
        {
            $"PUT /v2/{Repository}/manifests/short", $"POST /v2/{Repository}/blobs/uploads/?digest={whole.Digest}", $"PUT {upload}?digest={whole.Digest}",
        };
        var connections = await Task.WhenAll(requests.Select(async request =>
        {
            var connection = await RawHttp.ConnectAsync(own.Mirror.Url);
            await connection.SendAsync($"{request} HTTP/1.1\r\nHost: {own.Mirror.Url.Authority}\r\nContent-Length: 1000000\r\n\r\n");
            await connection.SendAsync(whole.Content);
            return connection;
        }));

        // Who asks how far an upload is ends the request that brings it further: so not before both have come.
        await own.Mirror.StagedAsync(2 * whole.Content.Length);
        Assert.Equal("0-2999", (await own.SendAsync("GET", upload)).Header("Range"));
        Assert.Equal(2, own.Mirror.Staged());
        foreach (var connection in connections)
        {
            connection.Reset();
        }

        // What is left is the upload that can be gone on with.
        await Poll.UntilAsync(() => own.Mirror.Staged() == 1, "what broke off stays staged");

        Assert.Equal(404, (await own.SendAsync("GET", $"/v2/{Repository}/tags/list")).Status);
        Assert.Empty(own.Mirror.Published());
    }

    [Fact]
    public async Task A_request_that_trickles_and_falls_silent_is_told_so()
    {
        await using var own = await OwnRegistry.StartAsync();
        foreach (var target in new[] { $"PUT /v2/{Repository}/manifests/slow", $"PATCH {await own.BeginAsync(Repository)}" })
        {
            using var connection = await RawHttp.ConnectAsync(own.Mirror.Url);
            await connection.SendAsync($"{target} HTTP/1.1\r\nHost: {own.Mirror.Url.Authority}\r\nContent-Length: 5000\r\n\r\n");
            for (var sent = 0; sent < 20; sent++)
            {
                await connection.SendAsync("{");
            }

            await own.Mirror.Time.TimerArmed(TimeSpan.FromMinutes(1));
            own.Mirror.Time.Advance(TimeSpan.FromMinutes(1));
            var answer = await connection.ReadResponseAsync();

            Assert.Equal(408, answer.Status);
            Assert.Contains("\"code\":", answer.Text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("0-", 416)]
    [InlineData("-", 416)]
    [InlineData("-5", 416)]
    [InlineData("5-4", 416)]
    [InlineData("0--1", 416)]
    [InlineData("-1-5", 416)]
    [InlineData("a-b", 416)]
    [InlineData("0-4,5-9", 416)]
    [InlineData("bytes", 416)]
    [InlineData("bytes ", 416)]
    [InlineData("bytes=0-4", 416)]
    [InlineData("items 0-4", 416)]
    [InlineData("bytes */5", 416)]
    [InlineData("+0-4", 416)]
    [InlineData("0x0-0x4", 416)]
    [InlineData("0-9223372036854775807", 416)]
    [InlineData("0-99999999999999999999", 416)]
    [InlineData("99999999999999999999-0", 416)]
    [InlineData("9223372036854775807-9223372036854775807", 416)]
    [InlineData("1-5", 416)]
    [InlineData("0-9223372036854775806", 400)]
    [InlineData("0-3", 400)]
    [InlineData("0-5", 400)]
    public async Task A_chunk_with_a_wrong_Content_Range_is_refused_and_nothing_of_it_is_received(string range, int status)
    {
        var upload = await registry.Started.BeginAsync(Repository);

        foreach (var (method, target) in new[] { ("PATCH", upload), ("PUT", OwnRegistry.With(upload, $"digest={Digest.Sha256("abcde"u8)}")) })
        {
            var answer = await registry.Started.SendAsync(method, target, "abcde"u8.ToArray(), ("Content-Range", range));
            Assert.Equal((status, status == 416 ? "BLOB_UPLOAD_INVALID" : "SIZE_INVALID"), (answer.Status, answer.Error));
        }

        Assert.Equal("0-0", (await registry.Started.SendAsync("GET", upload)).Header("Range"));
        Assert.Equal(201, (await registry.Started.SendAsync("PUT", OwnRegistry.With(upload, $"digest={Digest.Sha256("abcde"u8)}"), "abcde"u8.ToArray())).Status);
    }

    [Theory]
    [InlineData("POST", "/v2/team/app/blobs/uploads/?digest={known}&digest={known}", 400, "DIGEST_INVALID")]
    [InlineData("POST", "/v2/team/other/blobs/uploads/?mount={known}&mount={known}&from=team/app", 202, null)]
    [InlineData("POST", "/v2/team/other/blobs/uploads/?mount={known}&from=team/app&from=team/app", 202, null)]
    [InlineData("GET", "/v2/team/app/tags/list?n=1&n=2", 400, "PAGINATION_NUMBER_INVALID")]
    [InlineData("GET", "/v2/team/app/tags/list?last=a&last=b", 400, "TAG_INVALID")]
    [InlineData("GET", "/v2/team/app/tags/list?n=99999999999", 400, "PAGINATION_NUMBER_INVALID")]
    [InlineData("GET", "/v2/team/app/tags/list?n=2147483647", 200, null)]
    public async Task A_parameter_that_is_there_twice_or_is_too_much_is_not_guessed_about(string method, string target, int status, string? code)
    {
        var answer = await registry.Started.SendAsync(method, target.Replace("{known}", $"{registry.Known.Digest}"), method == "POST" ? registry.Known.Content : null);

        Assert.Equal((status, code), (answer.Status, answer.Error));
        if (answer.Header("Location") is { } upload)
        {
            await registry.Started.SendAsync("DELETE", upload);
        }
    }

    [Fact]
    public async Task A_blob_that_is_refused_in_one_request_leaves_nothing_that_counts_against_its_client()
    {
        await using var own = await OwnRegistry.StartAsync();
        for (var attempt = 0; attempt < 110; attempt++)
        {
            var refused = await own.SendAsync(
                "POST", $"/v2/{Repository}/blobs/uploads/?digest={registry.Known.Digest}", registry.Known.Content, ("Content-Range", "5-9"));
            Assert.Equal((416, "BLOB_UPLOAD_INVALID"), (refused.Status, refused.Error));
        }

        // The last answer may be here a moment before what it has left is away.
        await Poll.UntilAsync(() => own.Mirror.Staged() == 0, "what was refused stays staged");
        await own.PushBlobAsync(Repository, registry.Known);
    }

    /// <summary>One for all: what each sees is its own.</summary>
    public sealed class OneRegistry : IAsyncLifetime
    {
        private OwnRegistry? _started;

        internal OwnRegistry Started => _started!;

        internal MirrorHost Mirror => Started.Mirror;

        internal TestBlob Known { get; } = TestBlob.Create(size: 500, seed: 5);

        public async Task InitializeAsync()
        {
            _started = await OwnRegistry.StartAsync();
            await Started.PushBlobAsync(Repository, Known);
        }

        public async Task DisposeAsync()
        {
            Assert.DoesNotContain(Mirror.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
            await Started.DisposeAsync();
        }

        /// <summary>
        /// No 500, and an error says its code; but what the web server refuses before it has understood it, has no body. An answer with our
        /// header is ours.
        /// </summary>
        internal void Proper(RawResponse answer, string request, bool mayHaveWorked = false, bool mayBreak = false)
        {
            var what = $"{answer.Head.StatusLine} {answer.Text}\nfor {request}";
            if (answer.Status == 0)
            {
                Assert.True(mayBreak, what);
                return;
            }

            Assert.True(answer.Status is < 500 or 505, what);
            Assert.True(mayHaveWorked || answer.Status >= 400, what);
            if (answer.Status >= 400 && answer.Head.Headers.ContainsKey("Docker-Distribution-API-Version"))
            {
                using var json = JsonDocument.Parse(answer.Body);
                Assert.NotEmpty(json.RootElement.GetProperty("errors")[0].GetProperty("code").GetString()!);
            }
            else if (answer.Status >= 400)
            {
                Assert.True(answer.Status is 400 or 405 or 408 or 411 or 413 or 414 or 431 or 505 && answer.Body.Length == 0, what);
            }
        }
    }

    /// <summary>What is not ASCII goes on the wire as UTF-8 bytes, which the raw client sends one to one.</summary>
    private static string Latin(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
}
