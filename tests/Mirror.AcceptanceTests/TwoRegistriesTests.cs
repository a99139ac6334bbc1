using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Two registries behind one port have different images under one name. Who asks for the one must not get the other.</summary>
[Collection(Clients.Name)]
public sealed class TwoRegistriesTests : IAsyncLifetime
{
    private const string Image = "team/app:1.0";
    private const string OfHub = $"docker.io/{Image}";
    private const string OfGhcr = $"ghcr.io/{Image}";

    private readonly BuiltImage _hubImage = ImageWith("hub", seed: 1);
    private readonly BuiltImage _ghcrImage = ImageWith("ghcr", seed: 2);
    private DistributionRegistry _hub = null!;
    private DistributionRegistry _ghcr = null!;
    private MirrorProcess _mirror = null!;

    private (Digest Hub, Digest Ghcr) Expected => (_hubImage.Digest, _ghcrImage.Digest);

    public async Task InitializeAsync()
    {
        _hub = await DistributionRegistry.StartAsync();
        _ghcr = await DistributionRegistry.StartAsync();
        await PushAsync(_hubImage, _hub);
        await PushAsync(_ghcrImage, _ghcr);
        _mirror = await MirrorProcess.StartAsync(_hub.Url, ghcr: _ghcr.Url);
    }

    public async Task DisposeAsync()
    {
        await _mirror.DisposeAsync();
        await _hub.DisposeAsync();
        await _ghcr.DisposeAsync();
    }

    [FactWith("ctr", "containerd", "docker-registry", "skopeo", AsRoot = true)]
    public async Task Containerd_pulls_from_both_with_one_setting()
    {
        await using var containerd = await Containerd.StartAsync(_mirror.Host);

        Assert.Equal(Expected, (await containerd.PullAsync(OfHub), await containerd.PullAsync(OfGhcr)));
    }

    [FactWith("dockerd", "docker", "docker-registry", "skopeo", AsRoot = true)]
    public async Task Docker_pulls_from_its_own_registry_and_from_the_other_by_name()
    {
        await using var docker = await DockerDaemon.StartAsync(_mirror.Host);

        Assert.Equal(Expected, (await docker.PullAsync(Image), await docker.PullAsync($"{_mirror.Host}/{OfGhcr}")));
    }

    [FactWith("podman", "runc", "docker-registry", "skopeo", AsRoot = true)]
    public async Task Podman_pulls_from_both()
    {
        using var tools = await ContainerTools.SetUpAsync(_mirror.Host);

        Assert.Equal(Expected, (await tools.PodmanPullAsync(OfHub), await tools.PodmanPullAsync(OfGhcr)));
    }

    [FactWith("buildah", "docker-registry", "skopeo", AsRoot = true)]
    public async Task Buildah_pulls_from_both()
    {
        using var tools = await ContainerTools.SetUpAsync(_mirror.Host);

        Assert.Equal(Expected, (await tools.BuildahPullAsync(OfHub), await tools.BuildahPullAsync(OfGhcr)));
    }

    [FactWith("docker-registry", "skopeo")]
    public async Task Skopeo_copies_from_both()
    {
        using var tools = await ContainerTools.SetUpAsync(_mirror.Host);

        var copies = (await tools.SkopeoCopyAsync(OfHub, tools.Combine("hub")), await tools.SkopeoCopyAsync(OfGhcr, tools.Combine("ghcr")));

        Assert.Equal(Expected, copies);
    }

    [FactWith("podman", "buildah", "runc", "docker-registry", "skopeo", AsRoot = true)]
    public async Task A_build_starts_from_the_image_that_its_FROM_names()
    {
        using var tools = await ContainerTools.SetUpAsync(_mirror.Host);
        var file = tools.Combine("Containerfile");
        await File.WriteAllTextAsync(file, $"FROM {OfGhcr}\nLABEL built=yes\n");

        (await tools.PodmanAsync("build", "--file", file, "--tag", "built")).Succeeded();
        (await tools.BuildahAsync("build", "--file", file, "--tag", "built")).Succeeded();

        var layer = $"{Assert.Single(_ghcrImage.Layers).DiffId}";
        var built = (await tools.PodmanAsync("image", "inspect", "built")).Succeeded();
        Assert.Contains(layer, built.Output, StringComparison.Ordinal);
        built = (await tools.BuildahAsync("inspect", "--type", "image", "built")).Succeeded();
        Assert.Contains(layer, built.Output, StringComparison.Ordinal);
    }

    private static BuiltImage ImageWith(string file, int seed) => BuiltImage.Of(
        new Platform("linux", DebianImage.Architecture), ["/nothing"], ImageLayer.OfFile(file, TestBlob.Bytes(100_000, seed)));

    private static async Task PushAsync(BuiltImage image, DistributionRegistry registry)
    {
        using var layout = new ImageLayout();
        await layout.WriteAsync(image.Manifest, [.. image.Blobs]);
        await layout.PushAsync(registry, RepositoryName.Parse("team/app"), "1.0");
    }
}
