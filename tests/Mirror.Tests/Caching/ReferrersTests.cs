using System.Text.Json;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class ReferrersTests : IAsyncLifetime
{
    private const string Signature = "application/vnd.example.signature";
    private const string Sbom = "application/vnd.example.sbom+json";

    private static readonly TimeSpan Freshness = TimeSpan.FromMinutes(5);

    private Scene _scene = null!;
    private TestImage _signature = null!;
    private TestImage _sbom = null!;

    private string Path => $"/v2/{Scene.Repository}/referrers/{_scene.Image.Digest}";

    private string FallbackTag => $"sha256-{_scene.Image.Digest.Hex}";

    public async Task InitializeAsync()
    {
        _scene = await Scene.StartAsync(layerSize: 1000);
        _signature = TestImage.Create(layers: 1, layerSize: 10, seed: 21, subject: _scene.Image.Manifest.Descriptor, artifactType: Signature);
        _sbom = TestImage.Create(layers: 1, layerSize: 10, seed: 22, subject: _scene.Image.Manifest.Descriptor, artifactType: Sbom);
    }

    public async Task DisposeAsync() => await _scene.DisposeAsync();

    [Fact]
    public async Task What_refers_to_a_manifest_is_listed_and_can_be_pulled_by_digest()
    {
        AddBoth();

        var answer = await AskAsync(Path);

        Assert.Equal(200, answer.Status);
        Assert.Equal(MediaTypes.OciIndex, answer.Head.Headers["Content-Type"]);
        Assert.Equal($"{answer.Body.Length}", answer.Head.Headers["Content-Length"]);
        using var index = JsonDocument.Parse(answer.Text);
        Assert.Equal(2, index.RootElement.GetProperty("schemaVersion").GetInt32());
        Assert.Equal(MediaTypes.OciIndex, index.RootElement.GetProperty("mediaType").GetString());
        var first = index.RootElement.GetProperty("manifests").EnumerateArray().Single(m => m.GetProperty("artifactType").GetString() == Sbom);
        Assert.Equal((MediaTypes.OciManifest, _sbom.Digest.ToString(), _sbom.Manifest.Size), (
            first.GetProperty("mediaType").GetString(), first.GetProperty("digest").GetString(), first.GetProperty("size").GetInt64()));

        await _scene.GetExactlyAsync(Scene.ManifestPath(_sbom.Digest.ToString()), _sbom.Manifest);
        await _scene.GetExactlyAsync(Scene.BlobPath(_sbom.Layer.Digest), _sbom.Layer);
        await _scene.Mirror.PublishedAsync(_sbom.Layer.Digest);
        await _scene.Upstream.StopAsync();
        await _scene.GetExactlyAsync(Scene.ManifestPath(_sbom.Digest.ToString()), _sbom.Manifest);
        await _scene.GetExactlyAsync(Scene.BlobPath(_sbom.Layer.Digest), _sbom.Layer);
    }

    [Fact]
    public async Task A_filter_is_applied_by_us_whatever_upstream_can_do_and_costs_no_other_request()
    {
        AddBoth();

        var all = await AskAsync(Path);
        var filtered = await AskAsync($"{Path}?artifactType={Uri.EscapeDataString(Sbom)}");
        var none = await AskAsync($"{Path}?artifactType=other");

        Assert.Equal([_signature.Digest, _sbom.Digest], Listed(all));
        Assert.Equal([_sbom.Digest], Listed(filtered));
        Assert.Empty(Listed(none));
        Assert.Equal([null, "artifactType", "artifactType"], new[] { all, filtered, none }.Select(a => a.Head.Headers.GetValueOrDefault("OCI-Filters-Applied")));
        Assert.Single(_scene.Upstream.Requests);
    }

    [Fact]
    public async Task Where_nothing_refers_to_it_the_index_is_empty_and_no_error()
    {
        foreach (var digest in new[] { _scene.Image.Digest, Digest.Sha256("nobody has this"u8) })
        {
            var answer = await AskAsync($"/v2/{Scene.Repository}/referrers/{digest}");

            Assert.Equal(200, answer.Status);
            Assert.Equal($$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[]}""", answer.Text);
        }
    }

    [Fact]
    public async Task A_listing_is_as_fresh_as_a_tag_and_stale_where_upstream_can_not_be_asked()
    {
        AddBoth();
        await AskAsync(Path);
        _scene.Upstream.Remove(Scene.Repository, _sbom.Digest);

        _scene.Mirror.Time.Advance(Freshness - TimeSpan.FromSeconds(1));
        Assert.Equal(2, Listed(await AskAsync(Path)).Count);
        _scene.Mirror.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([_signature.Digest], Listed(await AskAsync(Path)));
        Assert.Equal(2, _scene.Upstream.Requests.Count);

        await _scene.Upstream.StopAsync();
        _scene.Mirror.Time.Advance(Freshness);
        var stale = await AskAsync(Path);
        Assert.Equal([_signature.Digest], Listed(stale));
        Assert.StartsWith("110 ", stale.Head.Headers["Warning"], StringComparison.Ordinal);
    }

    public static TheoryData<string, int, Behaviour> Outages => new()
    {
        { "500", 502, Behaviour.Status(500) },
        { "503", 502, Behaviour.Status(503) },
        { "429", 429, Behaviour.Status(429) },
        { "401", 403, Behaviour.Status(401) },
        { "hangs up", 502, Behaviour.HangUp },
        { "nonsense", 502, Behaviour.Status(200, "<html>") },
        { "a load balancer's 404", 502, Behaviour.Status(404, "404 page not found", ("Content-Type", "text/plain")) },
        { "a listing that goes on elsewhere", 502, Behaviour.Header("Link", "<https://elsewhere.example/>; rel=\"next\"") },
    };

    [Theory]
    [MemberData(nameof(Outages))]
    public async Task An_outage_is_never_an_empty_list(string outage, int status, Behaviour behaviour)
    {
        AddBoth();
        _scene.Upstream.On(_ => true).Do(behaviour, Behaviour.NoHeader("Docker-Distribution-API-Version"));

        var answer = await AskAsync(Path);

        Assert.True(answer.Status == status, $"{outage}: {answer.Status} {answer.Text}");
        Assert.Contains("\"errors\"", answer.Text, StringComparison.Ordinal);
    }

    public static TheoryData<string, Behaviour> WithoutApi => new()
    {
        { "a registry's 404", Behaviour.Status(404) },
        { "a web server's 404", Behaviour.Status(404, "404 page not found", ("Content-Type", "text/plain")) },
        { "405", Behaviour.Status(405) },
        { "501", Behaviour.Status(501) },
    };

    [Theory]
    [MemberData(nameof(WithoutApi))]
    public async Task A_registry_without_the_API_is_asked_for_the_tag_that_stands_for_it(string how, Behaviour behaviour)
    {
        _scene.Upstream.On(request => request.Path.Contains("/referrers/", StringComparison.Ordinal)).Do(behaviour);
        Assert.True(Listed(await AskAsync(Path)).Count == 0, how);
        AddByTag();
        _scene.Mirror.Time.Advance(TimeSpan.FromSeconds(5));

        var tagged = await AskAsync($"{Path}?artifactType={Uri.EscapeDataString(Sbom)}");
        Assert.Equal([_sbom.Digest], Listed(tagged));
        Assert.Equal("artifactType", tagged.Head.Headers["OCI-Filters-Applied"]);

        await _scene.Upstream.StopAsync();
        _scene.Mirror.Time.Advance(Freshness);
        var stale = await AskAsync(Path);
        Assert.Equal([_signature.Digest, _sbom.Digest], Listed(stale));
        Assert.StartsWith("110 ", stale.Head.Headers["Warning"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_registry_without_the_API_that_goes_down_before_its_tag_is_here_is_a_bad_gateway()
    {
        _scene.Upstream.On(request => request.Path.Contains("/referrers/", StringComparison.Ordinal)).Do(Behaviour.Status(404));
        _scene.Upstream.On(_ => true).Do(Behaviour.Status(500));

        Assert.Equal(502, (await AskAsync(Path)).Status);
    }

    [Fact]
    public async Task Upstreams_pages_are_read_to_the_end_and_ours_are_linked_with_their_filter_and_namespace()
    {
        AddBoth();
        var both = await AskAsync(Path);
        await _scene.Mirror.RestartAsync();
        var pages = new[] { _signature, _sbom }.Select(image => both.Text.Replace(
            "\"manifests\":[", $"\"manifests\":[{JsonSerializer.Serialize(new { mediaType = MediaTypes.OciManifest, digest = image.Digest.ToString(), size = 1, artifactType = Sbom })}],\"x\":[", StringComparison.Ordinal)).ToList();
        _scene.Upstream.On(request => request.Query.Contains("page=2", StringComparison.Ordinal)).Do(Behaviour.Status(200, pages[1]));
        _scene.Upstream.On(_ => true).Do(Behaviour.Status(200, pages[0], ("Link", $"<{Path}?page=2>; rel=\"next\"")));

        var first = await AskAsync($"{Path}?n=1&ns=docker.io&artifactType={Uri.EscapeDataString(Sbom)}");
        var link = first.Head.Headers["Link"];
        var second = await AskAsync(link[1..link.IndexOf('>', StringComparison.Ordinal)]);

        Assert.Equal([_signature.Digest], Listed(first));
        Assert.Equal([_sbom.Digest], Listed(second));
        Assert.Equal(("docker.io", "artifactType"), (second.Head.Headers["OCI-Namespace"], second.Head.Headers["OCI-Filters-Applied"]));
        Assert.False(second.Head.Headers.ContainsKey("Link"));
        Assert.Equal(2, _scene.Upstream.Requests.Count(request => request.Number > 1));
    }

    private void AddBoth()
    {
        _scene.Upstream.Add(Scene.Repository, _signature);
        _scene.Upstream.Add(Scene.Repository, _sbom);
    }

    private void AddByTag()
    {
        var index = TestIndex.Of(ImageFormat.Oci, _signature, _sbom);
        _scene.Upstream.Add(Scene.Repository, index, FallbackTag);
    }

    private Task<RawResponse> AskAsync(string path) => _scene.GetRawAsync(path);

    private static List<Digest> Listed(RawResponse answer)
    {
        using var index = JsonDocument.Parse(answer.Text);
        return [.. index.RootElement.GetProperty("manifests").EnumerateArray().Select(m => Digest.Parse(m.GetProperty("digest").GetString()!))];
    }
}
