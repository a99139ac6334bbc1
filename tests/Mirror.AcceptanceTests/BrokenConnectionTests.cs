using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>A layer breaks off in the middle on its way to the client.</summary>
[Collection(Clients.Name)]
public sealed class BrokenConnectionTests : IAsyncLifetime
{
    private const int LayerSize = 8 * 1024 * 1024;

    private static readonly RepositoryName Repository = RepositoryName.Parse("team/app");

    private readonly BuiltImage _image = BuiltImage.Of(
        new Platform("linux", DebianImage.Architecture), ["/nothing"], ImageLayer.OfFile("large", TestBlob.Bytes(LayerSize, seed: 3)));

    private FakeRegistry _upstream = null!;
    private MirrorProcess _mirror = null!;
    private Relay _relay = null!;

    private TestBlob Layer => _image.Layers[0].Blob;

    public async Task InitializeAsync()
    {
        _upstream = await FakeRegistry.StartAsync();
        _upstream.AddManifest(Repository, _image.Manifest, "1.0");
        foreach (var blob in _image.Blobs)
        {
            _upstream.AddBlob(Repository, blob);
        }

        _mirror = await MirrorProcess.StartAsync(_upstream.Url, level: "debug");
        _relay = new Relay(_mirror.Url, LayerSize / 2);
    }

    public async Task DisposeAsync()
    {
        await _relay.DisposeAsync();
        await _mirror.DisposeAsync();
        await _upstream.DisposeAsync();
    }

    [FactWith("ctr", "containerd", AsRoot = true)]
    public async Task Containerd_asks_for_the_rest_of_a_layer()
    {
        await using var containerd = await Containerd.StartAsync(_relay.Host, "docker.io");

        Assert.Equal(_image.Digest, await containerd.PullAsync($"docker.io/{Repository}:1.0"));
        AssertAskedForTheRest();
    }

    [FactWith("dockerd", "docker", AsRoot = true)]
    public async Task Docker_asks_for_the_rest_of_a_layer()
    {
        await using var docker = await DockerDaemon.StartAsync(_relay.Host);

        Assert.Equal(_image.Digest, await docker.PullAsync($"{Repository}:1.0"));
        AssertAskedForTheRest();
    }

    [FactWith("podman", "runc", AsRoot = true)]
    public async Task Podman_has_the_image_at_the_second_try_at_the_latest()
    {
        using var tools = await ContainerTools.SetUpAsync(_relay.Host);
        var name = $"docker.io/{Repository}:1.0";

        // Older ones do not ask for the rest of a layer, and fail.
        _ = await tools.PodmanAsync("pull", name);

        Assert.Equal(_image.Digest, await tools.PodmanPullAsync(name));
        Assert.Equal(1, _upstream.Count(HttpMethod.Get, Layer.Digest));
    }

    [FactWith("ctr", "containerd", AsRoot = true)]
    public async Task What_Mirror_itself_breaks_off_because_its_disk_is_bad_containerd_gets_all_the_same()
    {
        using var http = new HttpClient { BaseAddress = _mirror.Url };
        Assert.Equal(Layer.Digest, Digest.Sha256(await http.GetByteArrayAsync($"/v2/{Repository}/blobs/{Layer.Digest}")));
        await DamageAsync(await PublishedAsync());
        await using var containerd = await Containerd.StartAsync(_mirror.Host);

        Assert.Equal(_image.Digest, await containerd.PullAsync($"docker.io/{Repository}:1.0"));
        Assert.Contains(_mirror.Log, line => line.Contains($"{Layer.Digest} is damaged", StringComparison.Ordinal));
        Assert.Contains(_mirror.Log, line => line.Contains($"{Layer.Digest} answered 206", StringComparison.Ordinal));
        Assert.Equal(2, _upstream.Count(HttpMethod.Get, Layer.Digest));
    }

    private void AssertAskedForTheRest()
    {
        var ranges = _relay.Requests.Where(request => request.Target.Contains($"{Layer.Digest}", StringComparison.Ordinal))
            .Select(request => request.Header("Range")).ToList();
        Assert.Equal(2, ranges.Count);
        Assert.Null(ranges[0]);
        var start = int.Parse(ranges[1]!["bytes=".Length..^1]);
        // What has arrived, heads of answers not counted, is not asked for again.
        Assert.InRange(start, (LayerSize / 2) - (16 * 1024), LayerSize / 2);
        Assert.Equal(1, _upstream.Count(HttpMethod.Get, Layer.Digest));
    }

    /// <summary>The layer's file, as soon as it is there.</summary>
    private async Task<string> PublishedAsync()
    {
        string? file = null;
        await Poll.UntilAsync(
            () => Task.FromResult((file = _mirror.PublishedFiles().FirstOrDefault(known => known.Digest == Layer.Digest).File) is not null),
            TimeSpan.FromSeconds(30),
            () => $"{Layer.Digest} is not published");
        return file!;
    }

    private static async Task DamageAsync(string file)
    {
        await using var stream = new FileStream(file, FileMode.Open, FileAccess.Write);
        stream.Position = LayerSize / 2;
        await stream.WriteAsync(new byte[16]);
    }
}
