using System.Net;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Mirror in the place of another registry behind a proxy that ends TLS, whose configuration stays what it was.</summary>
[Collection(Clients.Name)]
public sealed class ProxyTests
{
    private const string Trusting = ", trustedProxies: 127.0.0.1";
    private const string Repository = "team/app";

    private static readonly IPAddress Client = IPAddress.Parse("127.0.0.7");

    [FactWith("nginx", "skopeo")]
    public async Task Images_are_pushed_and_pulled_through_nginx_as_deploy_has_it()
    {
        await using var mirror = await MirrorProcess.StartAloneAsync(server: Trusting, level: "debug");
        await using var proxy = await TlsProxy.StartDeployedAsync(mirror);

        await AssertPushedAndPulledAsync(mirror, proxy);
    }

    [FactWith("nginx", "skopeo")]
    public async Task Images_are_pushed_and_pulled_through_nginx_as_it_is_before_other_registries()
    {
        await using var mirror = await MirrorProcess.StartAloneAsync(server: Trusting, level: "debug");
        await using var proxy = await TlsProxy.StartClassicAsync(mirror);

        await AssertPushedAndPulledAsync(mirror, proxy);
    }

    [FactWith("apache2", "skopeo")]
    public async Task Images_are_pushed_and_pulled_through_Apache_as_it_is_before_other_registries()
    {
        await using var mirror = await MirrorProcess.StartAloneAsync(server: Trusting, level: "debug");
        await using var proxy = await TlsProxy.StartApacheAsync(mirror);

        await AssertPushedAndPulledAsync(mirror, proxy);
    }

    [FactWith("nginx")]
    public async Task Below_a_path_answers_lead_on_behind_the_prefix_that_nginx_says()
    {
        await using var mirror = await MirrorProcess.StartAloneAsync(server: Trusting);
        await using var proxy = await TlsProxy.StartClassicAsync(mirror, "/images/", "proxy_set_header X-Forwarded-Prefix /images;");

        await AssertPushedBelowAsync(proxy, "/images/");
    }

    [FactWith("nginx")]
    public async Task Below_a_path_answers_lead_on_to_the_public_address_where_nginx_says_nothing()
    {
        // The proxy's port is known only when it runs; the mirror keeps its own.
        await using var first = await MirrorProcess.StartAloneAsync();
        await using var proxy = await TlsProxy.StartClassicAsync(first, "/images/");
        await first.RestartAsync($", publicUrl: '{proxy.Url}images'");

        await AssertPushedBelowAsync(proxy, "/images/");
    }

    private static async Task AssertPushedAndPulledAsync(MirrorProcess mirror, TlsProxy proxy)
    {
        var image = BuiltImage.Of(
            new Platform("linux", DebianImage.Architecture), ["/nothing"], ImageLayer.OfFile("file", TestBlob.Bytes(20_000_000, seed: 7)));
        using var layout = new ImageLayout();
        await layout.WriteAsync(image.Manifest, [.. image.Blobs]);
        using var folder = new TemporaryDirectory();
        string[] skopeo = ["--insecure-policy", "copy"];
        var name = $"docker://{proxy.Host}/{Repository}:1.0";

        (await Command.RunAsync("skopeo", [.. skopeo, "--dest-cert-dir", proxy.Authorities, layout.Source, name], NoWayOut.Environment)).Succeeded();
        (await Command.RunAsync("skopeo", [.. skopeo, "--src-cert-dir", proxy.Authorities, name, $"dir:{folder.Combine("copy")}"], NoWayOut.Environment)).Succeeded();

        Assert.Equal(image.Digest, Digest.Sha256(await File.ReadAllBytesAsync(folder.Combine("copy", "manifest.json"))));
        await AssertPushedAsync(proxy, "/");
        await mirror.PrintsAsync($"answered 201 to {Client} ");
        Assert.DoesNotContain(mirror.Log, line => line.Contains("to 203.0.113.9", StringComparison.Ordinal));
    }

    private static async Task AssertPushedBelowAsync(TlsProxy proxy, string path)
    {
        await AssertPushedAsync(proxy, path);
        using var http = new HttpClient(proxy.Handler()) { BaseAddress = proxy.Url };
        using var tags = await http.GetAsync($"{path}v2/{Repository}/tags/list?n=1");
        var next = tags.Headers.GetValues("Link").Single().TrimStart('<').Split('>')[0];
        Assert.Contains("\"two\"", await http.GetStringAsync(next), StringComparison.Ordinal);
    }

    /// <summary>Pushes a blob of unknown length, one in chunks and one in one request, and a manifest with two tags, from an address that says it is another.</summary>
    private static async Task AssertPushedAsync(TlsProxy proxy, string path)
    {
        using var http = new HttpClient(proxy.Handler(Client)) { BaseAddress = proxy.Url };
        http.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.9");
        var blob = TestBlob.Create(3_000_000, seed: 3);
        var whole = TestBlob.Create(2_000_000, seed: 4);
        var index = TestIndex.Of(ImageFormat.Oci).Manifest;
        var uploads = $"{path}v2/{Repository}/blobs/uploads/";

        var location = (await AnsweredAsync(http.PostAsync(uploads, content: null), HttpStatusCode.Accepted)).Headers.Location!;
        using var stream = new ChunkedContent(blob.Content[..1_000_000]);
        location = (await AnsweredAsync(http.PatchAsync(location, stream), HttpStatusCode.Accepted)).Headers.Location!;
        using var chunk = new ReadOnlyMemoryContent(blob.Content[1_000_000..]);
        location = (await AnsweredAsync(http.PatchAsync(location, chunk), HttpStatusCode.Accepted)).Headers.Location!;
        await AnsweredAsync(http.PutAsync($"{location}?digest={blob.Digest}", content: null), HttpStatusCode.Created);
        using var all = new ReadOnlyMemoryContent(whole.Content);
        var there = (await AnsweredAsync(http.PostAsync($"{uploads}?digest={whole.Digest}", all), HttpStatusCode.Created)).Headers.Location!;
        using var manifest = new ReadOnlyMemoryContent(index.Content);
        manifest.Headers.Add("Content-Type", index.MediaType);
        await AnsweredAsync(http.PutAsync($"{path}v2/{Repository}/manifests/one?tag=two", manifest), HttpStatusCode.Created);

        Assert.Equal(whole.Digest, Digest.Sha256(await http.GetByteArrayAsync(there)));
        Assert.Equal(blob.Digest, Digest.Sha256(await http.GetByteArrayAsync($"{path}v2/{Repository}/blobs/{blob.Digest}")));
    }

    private static async Task<HttpResponseMessage> AnsweredAsync(Task<HttpResponseMessage> answering, HttpStatusCode expected)
    {
        using var answer = await answering;
        Assert.True(answer.StatusCode == expected, $"{answer.RequestMessage!.RequestUri}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return answer;
    }

    /// <summary>Its length is not said.</summary>
    private sealed class ChunkedContent(ReadOnlyMemory<byte> content) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(content).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
