using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>
/// The requests that clients send, line for line as their sources have them, and what each needs in the answer. Most of these clients can not
/// run where the tests do.
/// </summary>
public sealed class ReplayTests : IAsyncLifetime
{
    private const string ContainerdTypes =
        "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, "
        + "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*";

    private const string ContainerdEncoding = "Accept-Encoding: zstd;q=1.0, gzip;q=0.8, deflate;q=0.5";

    private static readonly string[] ContainerdResolve = [$"Accept: {ContainerdTypes}", "User-Agent: containerd/2.1.4"];

    private static readonly string[] ContainerdFetch = ["Accept: application/vnd.oci.image.layer.v1.tar+gzip, */*", ContainerdEncoding, "User-Agent: containerd/2.1.4"];

    private static readonly string[] DockerTypes =
    [
        "Accept: application/vnd.docker.distribution.manifest.v2+json",
        "Accept: application/vnd.docker.distribution.manifest.list.v2+json",
        "Accept: application/vnd.oci.image.index.v1+json",
        "Accept: application/vnd.oci.image.manifest.v1+json",
        "Accept: application/vnd.docker.distribution.manifest.v1+prettyjws",
        "User-Agent: docker/28.5.2 go/go1.24.8 git-commit/89c5e8f kernel/6.1.0 os/linux arch/amd64",
        "Connection: close",
    ];

    private static readonly string[] PodmanTypes =
    [
        "Accept: application/vnd.oci.image.manifest.v1+json",
        "Accept: application/vnd.docker.distribution.manifest.v2+json",
        "Accept: application/vnd.docker.distribution.manifest.v1+prettyjws",
        "Accept: application/vnd.docker.distribution.manifest.v1+json",
        "Accept: application/vnd.docker.distribution.manifest.list.v2+json",
        "Accept: application/vnd.oci.image.index.v1+json",
        "Docker-Distribution-Api-Version: registry/2.0",
        "User-Agent: containers/5.36.1 (github.com/containers/image)",
    ];

    private readonly RepositoryName _repository = Scene.Repository;
    private readonly TestIndex _index = TestIndex.Create(layers: 2, layerSize: 600_000, seed: 11);
    private FakeRegistry _hub = null!;
    private FakeRegistry _ghcr = null!;
    private MirrorHost _mirror = null!;

    private TestImage Image => _index.Images[0];

    private TestBlob Layer => Image.Layer;

    public async Task InitializeAsync()
    {
        _hub = await FakeRegistry.StartAsync();
        _ghcr = await FakeRegistry.StartAsync();
        _hub.Add(_repository, _index, Scene.Tag);
        _ghcr.Add(RepositoryName.Parse("org/img"), _index, Scene.Tag);
        RegistryOptions[] registries = [MirrorHost.Registry("docker.io", _hub) with { Default = true }, MirrorHost.Registry("ghcr.io", _ghcr)];
        _mirror = await MirrorHost.StartAsync(registries);
    }

    public async Task DisposeAsync()
    {
        await _mirror.DisposeAsync();
        await _hub.DisposeAsync();
        await _ghcr.DisposeAsync();
    }

    public static TheoryData<string, string, string> ContainerdForms => new()
    {
        { "containerd with hosts.toml", "/v2/library/alpine", "?ns=docker.io" },
        { "containerd, another registry", "/v2/org/img", "?ns=ghcr.io" },
        { "containerd with a path in the mirror's address", "/docker.io/v2/library/alpine", "?ns=docker.io" },
        { "containerd with /v2/ and a path in the mirror's address", "/v2/docker.io/v2/library/alpine", "?ns=docker.io" },
        { "containerd with override_path", "/v2/docker.io/library/alpine", "?ns=docker.io" },
        { "BuildKit with a path in the mirror's address", "/v2/docker.io/library/alpine", "?ns=docker.io" },
        { "BuildKit, another registry", "/v2/ghcr.io/org/img", "?ns=ghcr.io" },
        { "k3s with a rewrite", "/v2/docker.io/library/alpine", "?ns=docker.io" },
        { "k3s with a rewrite, another registry", "/v2/ghcr.io/org/img", "?ns=ghcr.io" },
        { "the Docker daemon with containerd's store", "/docker.io/v2/library/alpine", "?ns=docker.io" },
    };

    [Theory]
    [MemberData(nameof(ContainerdForms))]
    public async Task Containerd_and_who_uses_its_resolver_pull_an_image(string client, string path, string ns)
    {
        var head = await ManifestAsync("HEAD", $"{path}/manifests/{Scene.Tag}{ns}", _index.Manifest, ContainerdResolve);
        Assert.Equal(ns[4..], head.Head.Headers["OCI-Namespace"]);

        foreach (var manifest in new[] { _index.Manifest, Image.Manifest })
        {
            await ManifestAsync("GET", $"{path}/manifests/{manifest.Digest}{ns}", manifest, [$"Accept: {manifest.MediaType}, */*", ContainerdEncoding]);
        }

        foreach (var blob in Image.Blobs)
        {
            await WholeAsync($"{path}/blobs/{blob.Digest}{ns}", blob, ContainerdFetch);
        }

        // A pull that broke off goes on, long before or behind what is here.
        await PartAsync($"{path}/blobs/{Layer.Digest}{ns}", Layer, "bytes=262145-", 262_145, 599_999, ContainerdFetch);
        Assert.True(_hub.Count(HttpMethod.Get, Layer.Digest) + _ghcr.Count(HttpMethod.Get, Layer.Digest) == 1, client);

        // A body that is encoded for the way has another digest; and ns is a matter between the client and us.
        Assert.All(_hub.Requests.Concat(_ghcr.Requests), request => Assert.Equal(("identity", ""), (request.Header("Accept-Encoding"), request.Query)));
    }

    [Fact]
    public async Task Containerd_2_1_asks_for_everything_from_byte_0_and_gets_manifests_whole()
    {
        foreach (var reference in new[] { _index.Digest.ToString(), Scene.Tag })
        {
            await ManifestAsync("GET", $"/v2/{_repository}/manifests/{reference}?ns=docker.io", _index.Manifest, [.. ContainerdResolve, "Range: bytes=0-"]);
        }

        await PartAsync($"/v2/{_repository}/blobs/{Layer.Digest}?ns=docker.io", Layer, "bytes=0-", 0, 599_999, ContainerdFetch);
    }

    [Fact]
    public async Task Containerds_parallel_chunks_that_are_cut_off_after_what_was_wanted_cost_one_request()
    {
        const int Chunk = 100_000;
        var path = $"/v2/{_repository}/blobs/{Layer.Digest}?ns=docker.io";
        var chunks = await Task.WhenAll(Enumerable.Range(0, 6).Select(async number =>
        {
            using var connection = await RawHttp.ConnectAsync(_mirror.Url);
            await connection.SendAsync(RawHttp.Request(_mirror.Url, "GET", path, [.. ContainerdFetch, $"Range: bytes={number * Chunk}-"]));
            var head = await connection.ReadHeadAsync();
            Assert.Equal($"bytes {number * Chunk}-599999/600000", head.Headers["Content-Range"]);
            var bytes = await connection.ReadBodyAsync(Chunk);
            connection.Reset();
            return bytes;
        }));

        Assert.Equal(Layer.Content.ToArray(), chunks.SelectMany(bytes => bytes));
        Assert.Equal(1, _hub.Count(HttpMethod.Get, Layer.Digest));
    }

    [Theory]
    [InlineData("")] // every version, a mirror at the root
    [InlineData("/docker.io")] // 24 and later, a path in the mirror's address
    public async Task The_Docker_daemon_pulls_an_image_on_a_connection_for_each_request(string prefix)
    {
        var ping = await AskAsync("GET", $"{prefix}/v2/", ["Connection: close"]);
        Assert.Equal((200, "registry/2.0"), (ping.Status, ping.Head.Headers["Docker-Distribution-API-Version"]));
        Assert.False(ping.Head.Headers.ContainsKey("WWW-Authenticate"));

        var head = await ManifestAsync("HEAD", $"{prefix}/v2/{_repository}/manifests/{Scene.Tag}", _index.Manifest, DockerTypes);
        Assert.Equal("close", head.Head.Headers["Connection"]);
        Assert.All(_hub.Requests, request => Assert.Equal(HttpMethod.Head, request.Method));
        await ManifestAsync("GET", $"{prefix}/v2/{_repository}/manifests/{_index.Digest}", _index.Manifest, DockerTypes);
        await ManifestAsync("GET", $"{prefix}/v2/{_repository}/manifests/{Image.Digest}", Image.Manifest, DockerTypes);
        foreach (var blob in Image.Blobs)
        {
            await WholeAsync($"{prefix}/v2/{_repository}/blobs/{blob.Digest}", blob, ["Accept-Encoding: identity", "Connection: close"]);
        }

        await PartAsync($"{prefix}/v2/{_repository}/blobs/{Layer.Digest}", Layer, "bytes=599999-", 599_999, 599_999, ["Connection: close"]);

        // A registry's error is one that the daemon can show only with this type.
        var missing = await AskAsync("GET", $"{prefix}/v2/{_repository}/manifests/nope", DockerTypes);
        Assert.Equal((404, "application/json"), (missing.Status, missing.Head.Headers["Content-Type"]));
    }

    [Theory]
    [InlineData("/v2/docker.io/library/alpine")]
    [InlineData("/v2/library/alpine")]
    [InlineData("/v2/ghcr.io/org/img")]
    public async Task Podman_and_skopeo_pull_an_image(string path)
    {
        var ping = await AskAsync("GET", "/v2/", ["Docker-Distribution-Api-Version: registry/2.0"]);
        Assert.Equal(200, ping.Status);

        await ManifestAsync("GET", $"{path}/manifests/{Scene.Tag}", _index.Manifest, PodmanTypes);
        await ManifestAsync("GET", $"{path}/manifests/{Image.Digest}", Image.Manifest, PodmanTypes);
        foreach (var blob in Image.Blobs)
        {
            await WholeAsync($"{path}/blobs/{blob.Digest}", blob, ["Docker-Distribution-Api-Version: registry/2.0"]);
        }

        await PartAsync($"{path}/blobs/{Layer.Digest}", Layer, "bytes=300000-", 300_000, 599_999, []);

        var signature = await AskAsync("GET", $"{path}/manifests/sha256-{_index.Digest.Hex}.sig", PodmanTypes);
        Assert.Equal(404, signature.Status);
        Assert.Contains("MANIFEST_UNKNOWN", signature.Text, StringComparison.Ordinal);
        var missing = await AskAsync("GET", $"{path}/blobs/{Digest.Sha256("nope"u8)}", []);
        Assert.Contains("BLOB_UNKNOWN", missing.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bytes=0-99,1000-1999,599990-599999")] // zstd:chunked
    [InlineData("bytes=0-1,65536-131071")] // stargz
    public async Task Several_ranges_at_once_are_answered_with_the_whole_and_never_with_one_part(string range)
    {
        await ManifestAsync("GET", $"/v2/{_repository}/manifests/{Image.Digest}", Image.Manifest, PodmanTypes);

        for (var attempt = 0; attempt < 2; attempt++)
        {
            await WholeAsync($"/v2/{_repository}/blobs/{Layer.Digest}", Layer, [$"Range: {range}", "Accept-Encoding: identity"]);
            await _mirror.PublishedAsync(Layer.Digest);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stargz_learns_a_layers_address_and_size_and_reads_pieces_of_it(bool warm)
    {
        var path = $"/v2/{_repository}/blobs/{Layer.Digest}?ns=docker.io";
        await StartAsync(warm);

        await PartAsync(path, Layer, "bytes=0-1", 0, 1, ["Accept-Encoding: identity"]);
        var head = await AskAsync("HEAD", path, []);
        Assert.Equal((200, "600000"), (head.Status, head.Head.Headers["Content-Length"]));
        await PartAsync(path, Layer, "bytes=599998-599999", 599_998, 599_999, ["Accept-Encoding: identity"]);
        await PartAsync(path, Layer, "bytes=65536-131071", 65_536, 131_071, ["Accept-Encoding: identity"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SOCI_reads_closed_ranges_side_by_side_without_naming_the_registry(bool warm)
    {
        await StartAsync(warm);

        await Task.WhenAll(Enumerable.Range(0, 6).Select(number => PartAsync(
            $"/v2/{_repository}/blobs/{Layer.Digest}",
            Layer,
            $"bytes={number * 100_000}-{((number + 1) * 100_000) - 1}",
            number * 100_000,
            ((number + 1) * 100_000) - 1,
            ["User-Agent: soci-snapshotter/0.11"])));
    }

    private async Task StartAsync(bool warm)
    {
        await ManifestAsync("GET", $"/v2/{_repository}/manifests/{Image.Digest}", Image.Manifest, ContainerdResolve);
        if (warm)
        {
            await WholeAsync($"/v2/{_repository}/blobs/{Layer.Digest}", Layer, []);
            await _mirror.PublishedAsync(Layer.Digest);
        }
    }

    /// <summary>What every client needs of a manifest: its bytes, their number, exact type and digest, and nothing that changes them.</summary>
    private async Task<RawResponse> ManifestAsync(string method, string target, TestBlob manifest, IReadOnlyList<string> headers)
    {
        var answer = await AskAsync(method, target, headers);

        Assert.Equal(200, answer.Status);
        Assert.Equal(manifest.MediaType, answer.Head.Headers["Content-Type"]);
        Assert.Equal($"{manifest.Size}", answer.Head.Headers["Content-Length"]);
        Assert.Equal(manifest.Digest.ToString(), answer.Head.Headers["Docker-Content-Digest"]);
        Assert.False(answer.Head.Headers.ContainsKey("Content-Encoding"));
        Assert.Equal(method == "HEAD" ? [] : manifest.Content.ToArray(), answer.Body);
        return answer;
    }

    private async Task WholeAsync(string target, TestBlob blob, IReadOnlyList<string> headers)
    {
        var answer = await AskAsync("GET", target, headers);

        Assert.Equal(200, answer.Status);
        Assert.Equal($"{blob.Size}", answer.Head.Headers["Content-Length"]);
        Assert.False(answer.Head.Headers.ContainsKey("Content-Encoding"));
        Assert.True(answer.IsComplete);
        Assert.Equal(blob.Content.ToArray(), answer.Body);
    }

    /// <summary>Docker and podman compare the Content-Range with what they asked for; <paramref name="last"/> belongs to the range.</summary>
    private async Task PartAsync(string target, TestBlob blob, string range, int first, int last, IReadOnlyList<string> headers)
    {
        var answer = await AskAsync("GET", target, [.. headers, $"Range: {range}"]);

        Assert.Equal(206, answer.Status);
        Assert.Equal($"bytes {first}-{last}/{blob.Size}", answer.Head.Headers["Content-Range"]);
        Assert.Equal($"{last - first + 1}", answer.Head.Headers["Content-Length"]);
        Assert.True(answer.IsComplete);
        Assert.Equal(blob.Content.Slice(first, last - first + 1).ToArray(), answer.Body);
    }

    private Task<RawResponse> AskAsync(string method, string target, IReadOnlyList<string> headers) =>
        RawHttp.SendAsync(_mirror.Url, RawHttp.Request(_mirror.Url, method, target, headers));
}
