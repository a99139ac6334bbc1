using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>Headers, ranges and errors, the same for content that is here and for content that is arriving.</summary>
public sealed class ContentTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_blob_has_the_headers_that_clients_rely_on(bool warm)
    {
        await using var scene = await StartAsync(warm);

        var answer = await scene.GetRawAsync(scene.LayerPath);

        Assert.Equal(200, answer.Status);
        Assert.Equal("application/octet-stream", answer.Head.Headers["Content-Type"]);
        Assert.Equal(scene.Layer.Size.ToString(), answer.Head.Headers["Content-Length"]);
        Assert.Equal(scene.Layer.Digest.ToString(), answer.Head.Headers["Docker-Content-Digest"]);
        Assert.Equal($"\"{scene.Layer.Digest}\"", answer.Head.Headers["ETag"]);
        Assert.Equal("bytes", answer.Head.Headers["Accept-Ranges"]);
        Assert.Equal("registry/2.0", answer.Head.Headers["Docker-Distribution-API-Version"]);
        Assert.False(answer.Head.Headers.ContainsKey("Content-Encoding"));
    }

    [Fact]
    public async Task A_manifest_has_the_headers_that_clients_rely_on()
    {
        await using var scene = await Scene.StartAsync();

        foreach (var path in new[] { scene.TagPath, Scene.ManifestPath(scene.Image.Digest.ToString()) })
        {
            var answer = await scene.GetRawAsync(path, "Accept-Encoding: zstd;q=1.0, gzip;q=0.8, deflate;q=0.5");
            using var head = await scene.Mirror.HeadAsync(path);

            Assert.Equal(MediaTypes.OciManifest, answer.Head.Headers["Content-Type"]);
            Assert.Equal(scene.Image.Manifest.Size.ToString(), answer.Head.Headers["Content-Length"]);
            Assert.Equal(scene.Image.Digest.ToString(), answer.Head.Headers["Docker-Content-Digest"]);
            Assert.Equal($"\"{scene.Image.Digest}\"", answer.Head.Headers["ETag"]);
            Assert.Equal(scene.Image.Manifest.Size, head.Content.Headers.ContentLength);
            Assert.Equal(MediaTypes.OciManifest, head.Content.Headers.NonValidated["Content-Type"].ToString());
        }
    }

    [Fact]
    public async Task Whoever_already_has_it_is_told_so()
    {
        await using var scene = await StartAsync(warm: true);

        foreach (var (path, digest) in new[] { (scene.LayerPath, scene.Layer.Digest), (scene.TagPath, scene.Image.Digest) })
        {
            Assert.Equal(304, (await scene.GetRawAsync(path, $"If-None-Match: \"{digest}\"")).Status);
            Assert.Equal(304, (await scene.GetRawAsync(path, $"If-None-Match: \"other\", W/\"{digest}\"")).Status);
            Assert.Equal(304, (await scene.GetRawAsync(path, "If-None-Match: *")).Status);
            Assert.Equal(200, (await scene.GetRawAsync(path, "If-None-Match: \"other\"")).Status);
        }
    }

    // The layer has 600000 bytes: two whole blocks and a bit.
    [Theory]
    [InlineData("bytes=0-0", 206, 0, 1)]
    [InlineData("bytes=0-", 206, 0, 600000)]
    [InlineData("bytes=500-1499", 206, 500, 1000)]
    [InlineData("bytes=262143-262144", 206, 262143, 2)]
    [InlineData("bytes=300000-", 206, 300000, 300000)]
    [InlineData("bytes=-500", 206, 599500, 500)]
    [InlineData("bytes=-900000", 206, 0, 600000)]
    [InlineData("bytes=599999-600050", 206, 599999, 1)]
    [InlineData("bytes=99999999999999999999-", 416, 0, 0)]
    [InlineData("bytes=600000-", 416, 0, 0)]
    [InlineData("bytes=500-0", 416, 0, 0)]
    [InlineData("bytes=-0", 416, 0, 0)]
    [InlineData("bytes=0-1,5-6", 200, 0, 600000)]
    [InlineData("bytes=a-b", 200, 0, 600000)]
    [InlineData("lines=0-1", 200, 0, 600000)]
    public async Task A_range_is_exact_warm_and_cold(string range, int status, int start, int length)
    {
        foreach (var warm in new[] { false, true })
        {
            await using var scene = await StartAsync(warm, layerSize: 600_000);

            var answer = await scene.GetRawAsync(scene.LayerPath, $"Range: {range}");

            Assert.Equal(status, answer.Status);
            Assert.True(answer.IsComplete);
            if (status == 416)
            {
                Assert.Equal("bytes */600000", answer.Head.Headers["Content-Range"]);
                continue;
            }

            Assert.Equal(scene.Layer.Content.Slice(start, length).ToArray(), answer.Body);
            Assert.Equal(length.ToString(), answer.Head.Headers["Content-Length"]);
            Assert.Equal(status == 206, answer.Head.Headers.TryGetValue("Content-Range", out var part) && part == $"bytes {start}-{start + length - 1}/600000");
        }
    }

    [Fact]
    public async Task If_Range_with_another_ETag_gives_the_whole()
    {
        await using var scene = await StartAsync(warm: true);

        Assert.Equal(206, (await scene.GetRawAsync(scene.LayerPath, "Range: bytes=0-0", $"If-Range: \"{scene.Layer.Digest}\"")).Status);
        Assert.Equal(200, (await scene.GetRawAsync(scene.LayerPath, "Range: bytes=0-0", "If-Range: \"other\"")).Status);
    }

    [Fact]
    public async Task A_HEAD_of_a_cold_blob_downloads_nothing()
    {
        await using var scene = await Scene.StartAsync();

        using var head = await scene.Mirror.HeadAsync(scene.LayerPath);

        Assert.Equal(200, (int)head.StatusCode);
        Assert.Equal(scene.Layer.Size, head.Content.Headers.ContentLength);
        Assert.Equal([HttpMethod.Head], scene.Upstream.Requests.Select(request => request.Method));
    }

    [Fact]
    public async Task A_length_that_only_the_manifest_says_is_enough_for_HEAD_and_for_ranges_of_a_cold_blob()
    {
        await using var scene = await Scene.StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Upstream.On(_ => true).Do(Behaviour.NoContentLength);

        using var head = await scene.Mirror.HeadAsync(scene.LayerPath);
        var part = await scene.GetRawAsync(scene.LayerPath, "Range: bytes=10-19");

        Assert.Equal(scene.Layer.Size, head.Content.Headers.ContentLength);
        Assert.Equal((206, $"bytes 10-19/{scene.Layer.Size}"), (part.Status, part.Head.Headers["Content-Range"]));
        Assert.Equal(scene.Layer.Content.Slice(10, 10).ToArray(), part.Body);
    }

    [Fact]
    public async Task A_HEAD_of_a_blob_whose_upstream_knows_no_HEAD_is_answered()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(_ => true).Do(Behaviour.NoHead);

        using var head = await scene.Mirror.HeadAsync(scene.LayerPath);

        Assert.Equal((200, scene.Layer.Size), ((int)head.StatusCode, head.Content.Headers.ContentLength));
    }

    [Fact]
    public async Task A_listing_behind_what_can_be_no_tag_is_refused_and_nobody_is_asked()
    {
        await using var scene = await Scene.StartAsync();

        foreach (var last in new[] { new string('a', 129), "a%20b", "..%2f", "%00" })
        {
            Assert.Equal(400, (await scene.GetRawAsync($"/v2/{Scene.Repository}/tags/list?last={last}")).Status);
        }

        Assert.Empty(scene.Upstream.Requests);
        Assert.Equal(200, (await scene.GetRawAsync($"/v2/{Scene.Repository}/tags/list?last=gone")).Status);
    }

    [Fact]
    public async Task A_listing_goes_on_although_upstreams_link_leads_away_from_it()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.Tag(Scene.Repository, "a", scene.Image.Digest);
        scene.Upstream.Tag(Scene.Repository, "b", scene.Image.Digest);
        scene.Upstream.On(_ => true).Do(Behaviour.Header("Link", "<https://public.example/v2/library/alpine/tags/list?n=2&last=a>; rel=\"next\""));

        var page = await scene.GetRawAsync($"/v2/{Scene.Repository}/tags/list?n=2");

        Assert.Equal($"</v2/{Scene.Repository}/tags/list?n=2&last=a>; rel=\"next\"", page.Head.Headers["Link"]);
    }

    [Fact]
    public async Task A_blob_of_unknown_length_arrives_whole()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.NoContentLength);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task A_client_that_could_not_tell_a_blobs_end_from_a_failure_is_told_so()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.NoContentLength);
        var oldRequest = RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath).Replace("HTTP/1.1", "HTTP/1.0", StringComparison.Ordinal);

        var refused = await RawHttp.SendAsync(scene.Mirror.Url, oldRequest);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        var answered = await RawHttp.SendAsync(scene.Mirror.Url, oldRequest);

        Assert.Equal(505, refused.Status);
        Assert.Equal((200, true), (answered.Status, answered.IsComplete));
        Assert.Equal(scene.Layer.Content.ToArray(), answered.Body);
    }

    [Fact]
    public async Task An_empty_blob_is_a_blob()
    {
        await using var scene = await Scene.StartAsync();
        var empty = TestBlob.Of(Array.Empty<byte>(), MediaTypes.OctetStream);
        scene.Upstream.AddBlob(Scene.Repository, empty);

        for (var i = 0; i < 2; i++)
        {
            await scene.GetExactlyAsync(Scene.BlobPath(empty.Digest), empty);
            await scene.Mirror.PublishedAsync(empty.Digest);
        }
    }

    [Theory]
    [InlineData("/v2/UPPER/manifests/1", 400, "NAME_INVALID")]
    [InlineData("/v2/a/manifests/sha256:123", 400, "DIGEST_INVALID")]
    [InlineData("/v2/a/manifests/-x", 400, "TAG_INVALID")]
    [InlineData("/v2/a/blobs/latest", 400, "DIGEST_INVALID")]
    [InlineData("/v2/a/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID")]
    [InlineData("/v2/_catalog?n=-1", 400, "PAGINATION_NUMBER_INVALID")]
    [InlineData("/elsewhere", 404, "UNSUPPORTED")]
    public async Task A_wrong_request_is_told_what_is_wrong(string path, int status, string code)
    {
        await using var scene = await Scene.StartAsync();

        var answer = await scene.GetRawAsync(path);

        Assert.Equal(status, answer.Status);
        Assert.Equal("application/json", answer.Head.Headers["Content-Type"]);
        Assert.Contains($"\"code\":\"{code}\"", answer.Text, StringComparison.Ordinal);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Theory]
    [InlineData("POST", "/v2/library/alpine/blobs/uploads/")]
    [InlineData("PUT", "/v2/library/alpine/manifests/3.20")]
    [InlineData("DELETE", "/v2/library/alpine/manifests/3.20")]
    public async Task What_would_change_an_upstreams_repository_is_refused_as_unsupported(string method, string path)
    {
        await using var scene = await Scene.StartAsync();

        using var answer = await scene.Mirror.SendAsync(new HttpMethod(method), path);

        Assert.Equal(405, (int)answer.StatusCode);
        Assert.Contains("UNSUPPORTED", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_catalog_lists_what_is_here_page_by_page_under_names_that_work()
    {
        await using var scene = await Scene.StartAsync();
        foreach (var name in new[] { "library/alpine", "org/b", "org/c" })
        {
            scene.Upstream.Add(RepositoryName.Parse(name), scene.Image, "1");
            await scene.GetRawAsync($"/v2/{name}/manifests/1");
        }

        var first = await scene.GetRawAsync("/v2/_catalog?n=2");
        var link = first.Head.Headers["Link"];
        var second = await scene.GetRawAsync(link[1..link.IndexOf('>', StringComparison.Ordinal)]);

        Assert.Equal("""{"repositories":["docker.io/library/alpine","docker.io/org/b"]}""", first.Text);
        Assert.Equal("""{"repositories":["docker.io/org/c"]}""", second.Text);
        Assert.False(second.Head.Headers.ContainsKey("Link"));
        Assert.Equal("""{"repositories":["library/alpine","org/b","org/c"]}""", (await scene.GetRawAsync("/docker.io/v2/_catalog")).Text);
        Assert.Equal(200, (await scene.GetRawAsync("/v2/docker.io/org/b/manifests/1")).Status);
    }

    [Fact]
    public async Task A_throttled_upstream_is_429_with_its_Retry_After()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(_ => true).Do(Behaviour.Status(
            429, """{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}""", ("Retry-After", "17")));

        var answer = await scene.GetRawAsync(scene.TagPath);

        Assert.Equal(429, answer.Status);
        Assert.Equal("17", answer.Head.Headers["Retry-After"]);
        Assert.Contains("TOOMANYREQUESTS", answer.Text, StringComparison.Ordinal);
        Assert.Contains("reached your pull rate limit", answer.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task What_upstream_denies_is_denied_without_a_challenge(int status)
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(_ => true).Do(Behaviour.Status(status));

        var answer = await scene.GetRawAsync(scene.TagPath);

        Assert.Equal(403, answer.Status);
        Assert.Contains("DENIED", answer.Text, StringComparison.Ordinal);
        Assert.False(answer.Head.Headers.ContainsKey("WWW-Authenticate"));
    }

    private static async Task<Scene> StartAsync(bool warm, int layerSize = 300_000)
    {
        var scene = await Scene.StartAsync(layerSize: layerSize);
        if (warm)
        {
            await scene.PullAsync();
            await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        }

        return scene;
    }
}
