using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Listening;

/// <summary>What is spoken over TLS, and what is not.</summary>
public sealed class EncryptedRequestTests
{
    private const string Repository = "team/app";

    public static TheoryData<string> Versions => new("1.1", "2.0");

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task An_image_is_pushed_and_pulled_with_either_version_of_HTTP(string version)
    {
        await using var scene = await TlsScene.StartAsync();
        using var client = scene.Client(Version.Parse(version));
        var layers = Enumerable.Range(0, 40).Select(seed => TestBlob.Create(1_500_000, seed)).ToList();
        var index = TestIndex.Of(ImageFormat.Oci).Manifest;

        await Task.WhenAll(layers.Select(layer => PushAsync(client, layer)));
        using var manifest = new ReadOnlyMemoryContent(index.Content);
        manifest.Headers.Add("Content-Type", index.MediaType);
        using var pushed = await client.PutAsync($"/v2/{Repository}/manifests/1", manifest);
        var pulled = await Task.WhenAll(layers.Select(layer => client.GetByteArrayAsync($"/v2/{Repository}/blobs/{layer.Digest}")));

        Assert.Equal(HttpStatusCode.Created, pushed.StatusCode);
        Assert.Equal(Version.Parse(version), pushed.Version);
        Assert.Equal(index.Content.ToArray(), await client.GetByteArrayAsync($"/v2/{Repository}/manifests/1"));
        Assert.Equal(layers.Select(layer => layer.Digest), pulled.Select(blob => Digest.Sha256(blob)));
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_token_of_30_KiB_is_taken_and_what_is_too_large_is_not(string version)
    {
        await using var scene = await TlsScene.StartAsync();
        using var client = scene.Client(Version.Parse(version));
        async Task<HttpStatusCode?> AskAsync(int size)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v2/") { Version = Version.Parse(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {new string('x', size)}");
            try
            {
                using var answer = await client.SendAsync(request);
                return answer.StatusCode;
            }
            catch (HttpRequestException)
            {
                return null;    // HTTP/2 ends the connection
            }
        }

        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(30 * 1024));
        Assert.NotEqual(HttpStatusCode.OK, await AskAsync(64 * 1024));
        Assert.Equal("{}", await client.GetStringAsync("/v2/"));
    }

    [Theory]
    [InlineData("GET /v2/ HTTP/1.1\r\nHost: mirror\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("G")]
    public async Task Plain_HTTP_is_told_to_speak_HTTPS(string request)
    {
        await using var scene = await TlsScene.StartAsync();

        var answer = await RawHttp.SendAsync(scene.Mirror.Url, request);

        Assert.Equal((400, true), (answer.Status, answer.IsComplete));
        Assert.Contains("use https://", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_answer_arrives_although_a_plain_push_has_more_to_send()
    {
        await using var scene = await TlsScene.StartAsync();
        var body = new string('x', 500_000);

        var answer = await RawHttp.SendAsync(scene.Mirror.Url, $"POST /v2/ HTTP/1.1\r\nHost: mirror\r\nContent-Length: {body.Length}\r\n\r\n{body}");

        Assert.Equal((400, true), (answer.Status, answer.IsComplete));
    }

    [Fact]
    public async Task The_socket_for_commands_and_plain_addresses_stay_plain()
    {
        await using var scene = await TlsScene.StartAsync();

        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(scene.Mirror.DataPath, "mirror.sock")));
        await socket.SendAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: mirror\r\n\r\n"));
        var received = new byte[8];
        await socket.ReceiveAsync(received);

        Assert.Equal("HTTP/1.1", Encoding.ASCII.GetString(received));
        Assert.Equal("https", scene.Mirror.Url.Scheme);
    }

    /// <summary>The web server has a clock of its own: the test has its limits made short, and waits for what it does.</summary>
    [Fact]
    public async Task Who_is_slow_or_silent_is_left_and_others_are_served_meanwhile()
    {
        var moment = TimeSpan.FromSeconds(1);
        await using var scene = await TlsScene.StartAsync(
            server => server with { Limits = new() { Handshake = moment, HeadersTimeout = moment, KeepAlive = moment } });
        using var client = scene.Client();
        using var silent = await RawHttp.ConnectAsync(scene.Mirror.Url);
        using var half = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await half.SendAsync(new byte[] { 0x16, 3, 1 });
        await using var slow = await scene.ConnectAsync();
        await slow.WriteAsync("GET /v2/ HTTP/1.1\r\nHost: mirror\r\n"u8.ToArray());

        Assert.Equal("{}", await client.GetStringAsync("/v2/"));
        await Assert.ThrowsAsync<EndOfStreamException>(() => silent.ReadHeadAsync());
        await Assert.ThrowsAsync<EndOfStreamException>(() => half.ReadHeadAsync());
        using var reader = new StreamReader(slow);
        Assert.Equal("HTTP/1.1 408 Request Timeout", await reader.ReadLineAsync());
        Assert.Equal("{}", await client.GetStringAsync("/v2/"));
    }

    [Fact]
    public async Task A_thousand_connections_that_say_nothing_keep_nobody_from_being_served()
    {
        await using var scene = await TlsScene.StartAsync();
        var idle = new List<RawHttp>();
        var connected = new List<SslStream>();
        for (var i = 0; i < 900; i++)
        {
            idle.Add(await RawHttp.ConnectAsync(scene.Mirror.Url));
        }

        for (var i = 0; i < 100; i++)
        {
            connected.Add(await scene.ConnectAsync());
        }

        using var client = scene.Client(HttpVersion.Version20);
        Assert.Equal("{}", await client.GetStringAsync("/v2/"));
        idle.ForEach(connection => connection.Dispose());
        connected.ForEach(connection => connection.Dispose());
    }

    private static async Task PushAsync(HttpClient client, TestBlob blob)
    {
        using var content = new ReadOnlyMemoryContent(blob.Content);
        using var answer = await client.PostAsync($"/v2/{Repository}/blobs/uploads/?digest={blob.Digest}", content);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }
}
