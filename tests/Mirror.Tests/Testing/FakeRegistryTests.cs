using System.Net;
using System.Net.Http.Headers;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Testing;

public sealed class FakeRegistryTests : IAsyncLifetime
{
    private static readonly RepositoryName Alpine = RepositoryName.Parse("library/alpine");
    private static readonly TestImage Image = TestImage.Create(layers: 2, layerSize: 200_000);

    private readonly HttpClient _client = new();
    private FakeRegistry _upstream = null!;

    public async Task InitializeAsync()
    {
        _upstream = await FakeRegistry.StartAsync();
        _upstream.Add(Alpine, Image, "3.20");
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _upstream.DisposeAsync();
    }

    [Theory]
    [InlineData(ImageFormat.Oci)]
    [InlineData(ImageFormat.Docker)]
    public void A_test_image_is_a_valid_image(ImageFormat format)
    {
        var index = TestIndex.Create(layers: 2, format: format);

        var parsed = Parse(index.Manifest);
        Assert.Equal(index.Images.Select(image => image.Digest), parsed.View().Children.Select(child => child.Digest));
        Assert.Equal(["linux/amd64", "linux/arm64/v8"], parsed.View().Children.Select(child => $"{child.Platform}"));
        Assert.All(index.Images, image => Assert.Equal(
            image.Blobs.Select(blob => (blob.Digest, blob.Size)),
            Parse(image.Manifest).View().Blobs.Select(blob => (blob.Digest, blob.Size))));
        Assert.Empty(index.Images[0].Blobs.Select(blob => blob.Digest).Intersect(index.Images[1].Blobs.Select(blob => blob.Digest)));
    }

    [Fact]
    public async Task A_manifest_is_answered_by_tag_and_by_digest_with_its_exact_headers()
    {
        foreach (var reference in new[] { "3.20", Image.Digest.ToString() })
        {
            var response = await _client.GetAsync(_upstream.ManifestUrl(Alpine, reference));

            Assert.Equal(Image.Manifest.Content.ToArray(), await response.Content.ReadAsByteArrayAsync());
            Assert.Equal(MediaTypes.OciManifest, response.Content.Headers.ContentType!.ToString());
            Assert.Equal(Image.Manifest.Size, response.Content.Headers.ContentLength);
            Assert.Equal([$"{Image.Digest}"], response.Headers.GetValues("Docker-Content-Digest"));
        }

        Assert.Equal(1, _upstream.Count(HttpMethod.Get, Alpine, "3.20"));
        Assert.Equal(1, _upstream.Count(HttpMethod.Get, Image.Digest));
    }

    [Fact]
    public async Task A_manifest_that_the_client_has_is_not_sent_again()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _upstream.ManifestUrl(Alpine, "3.20"));
        request.Headers.IfNoneMatch.Add(new EntityTagHeaderValue($"\"{Image.Digest}\""));

        Assert.Equal(HttpStatusCode.NotModified, (await _client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData("bytes=0-", HttpStatusCode.PartialContent, 0, 200_000)]
    [InlineData("bytes=150000-", HttpStatusCode.PartialContent, 150_000, 50_000)]
    [InlineData("bytes=10-19", HttpStatusCode.PartialContent, 10, 10)]
    [InlineData("bytes=199990-300000", HttpStatusCode.PartialContent, 199_990, 10)]
    [InlineData("bytes=-5", HttpStatusCode.PartialContent, 199_995, 5)]
    [InlineData("bytes=200000-", HttpStatusCode.RequestedRangeNotSatisfiable, 0, 0)]
    [InlineData("bytes=0-1,5-6", HttpStatusCode.OK, 0, 200_000)]
    public async Task A_range_is_answered_with_its_bytes(string range, HttpStatusCode status, int from, int length)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _upstream.BlobUrl(Alpine, Image.Layer.Digest));
        request.Headers.TryAddWithoutValidation("Range", range);
        using var response = await _client.SendAsync(request);

        Assert.Equal(status, response.StatusCode);
        Assert.Equal(Image.Layer.Content.Slice(from, length).ToArray(), await response.Content.ReadAsByteArrayAsync());
        if (status == HttpStatusCode.PartialContent)
        {
            Assert.Equal($"bytes {from}-{from + length - 1}/200000", $"{response.Content.Headers.ContentRange}");
        }
    }

    [Fact]
    public async Task Tags_come_in_pages()
    {
        _upstream.Tag(Alpine, "a", Image.Digest);
        _upstream.Tag(Alpine, "b", Image.Digest);

        using var first = await _client.GetAsync(new Uri(_upstream.Url, "/v2/library/alpine/tags/list?n=2"));
        using var second = await _client.GetAsync(new Uri(_upstream.Url, "/v2/library/alpine/tags/list?n=2&last=a"));

        Assert.Equal("""{"name":"library/alpine","tags":["3.20","a"]}""", await first.Content.ReadAsStringAsync());
        Assert.Equal(["</v2/library/alpine/tags/list?n=2&last=a>; rel=\"next\""], first.Headers.GetValues("Link"));
        Assert.Equal("""{"name":"library/alpine","tags":["b"]}""", await second.Content.ReadAsStringAsync());
        Assert.False(second.Headers.Contains("Link"));
    }

    [Fact]
    public async Task Referrers_are_found_by_their_subject()
    {
        var signature = TestImage.Create(seed: 7, subject: Image.Manifest.Descriptor, artifactType: "application/vnd.example.signature");
        _upstream.Add(Alpine, signature);

        var all = await _client.GetStringAsync(new Uri(_upstream.Url, $"/v2/library/alpine/referrers/{Image.Digest}"));
        var none = await _client.GetStringAsync(new Uri(_upstream.Url, $"/v2/library/alpine/referrers/{Image.Digest}?artifactType=other"));

        Assert.Contains($"{signature.Digest}", all, StringComparison.Ordinal);
        Assert.DoesNotContain($"{signature.Digest}", none, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stopped_registry_refuses_connections_and_comes_back_at_the_same_address()
    {
        var url = _upstream.ManifestUrl(Alpine, "3.20");
        await _upstream.StopAsync();
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => _client.GetAsync(url));
        Assert.Equal(HttpRequestError.ConnectionError, error.HttpRequestError);

        await _upstream.RestartAsync();

        Assert.Equal(url, _upstream.ManifestUrl(Alpine, "3.20"));
        Assert.Equal(HttpStatusCode.OK, (await _client.GetAsync(url)).StatusCode);
    }

    [Fact]
    public async Task Stopping_cuts_what_is_running()
    {
        _upstream.On(HttpMethod.Get, Image.Layer.Digest).Do(Behaviour.StallAfter(1000));
        using var connection = await RawHttp.ConnectAsync(_upstream.Url);
        await connection.SendAsync(RawHttp.Request(_upstream.Url, "GET", $"/v2/library/alpine/blobs/{Image.Layer.Digest}"));
        var head = await connection.ReadHeadAsync();
        await connection.ReadBodyAsync(1000);

        await _upstream.StopAsync();

        Assert.False((await connection.ReadRestAsync(head)).IsComplete);
        Assert.False(_upstream.Requests.Single().IsComplete);
    }

    private static Manifest Parse(TestBlob blob)
    {
        Assert.True(Manifest.TryParse(blob.Content, blob.MediaType, DigestAlgorithm.Sha256, out var manifest, out var fault), fault);
        return manifest;
    }
}
