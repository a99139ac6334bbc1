using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;

namespace Mirror.AcceptanceTests;

[Collection(Clients.Name)]
public sealed class SkopeoTests(DebianImage image)
{
    private static readonly string Image = $"docker://docker.io/{DebianImage.Repository}:{DebianImage.Tag}";

    [FactWith("docker-registry", "skopeo", "dpkg-query")]
    public async Task Skopeo_copies_an_image_through_the_mirror_of_its_registries_conf_byte_for_byte()
    {
        await using var upstream = await DistributionRegistry.StartAsync();
        await image.PushAsync(upstream);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        using var tools = await ContainerTools.SetUpAsync(mirror.Host);

        await SkopeoAsync(tools, "copy", "--all", Image, $"oci:{tools.Combine("copy")}:all");

        var expected = image.Here.Blobs.Concat(image.Elsewhere.Blobs).Select(blob => blob.Digest)
            .Append(image.Here.Digest).Append(image.Elsewhere.Digest).Append(image.Index);
        Assert.Equal(expected.ToHashSet(), await DigestsInAsync(tools.Combine("copy", "blobs", "sha256")));
    }

    [FactWith("docker-registry", "skopeo", "dpkg-query")]
    public async Task Of_an_index_only_the_platform_that_is_pulled_is_fetched_and_the_index_keeps_its_digest()
    {
        await using var upstream = await DistributionRegistry.StartAsync();
        await image.PushAsync(upstream);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        using var tools = await ContainerTools.SetUpAsync(mirror.Host);

        await SkopeoAsync(tools, "--override-arch", DebianImage.Architecture, "copy", Image, $"oci:{tools.Combine("copy")}:one");
        var index = await SkopeoAsync(tools, "inspect", "--raw", Image);

        Assert.Equal(image.Index, Digest.Sha256(System.Text.Encoding.UTF8.GetBytes(index.Output)));
        Assert.Equal(
            image.BlobsHere.Append(image.Here.Digest).ToHashSet(), await DigestsInAsync(tools.Combine("copy", "blobs", "sha256")));
        await upstream.StopAsync();
        await mirror.HoldsAsync(DebianImage.Repository, image.BlobsHere);
        var published = mirror.PublishedFiles().Select(file => file.Digest).ToHashSet();
        Assert.Equal(image.BlobsHere.Append(image.Here.Digest).Append(image.Index).ToHashSet(), published);
        Assert.NotEmpty(upstream.MirrorRequests);
        var elsewhere = image.Elsewhere.Blobs.Append(image.Elsewhere.Manifest);
        Assert.All(elsewhere, blob => Assert.DoesNotContain(
            upstream.MirrorRequests, line => line.Contains($"{blob.Digest}", StringComparison.Ordinal)));
    }

    private static async Task<Command> SkopeoAsync(ContainerTools tools, params IReadOnlyList<string> arguments) =>
        (await tools.SkopeoAsync(arguments)).Succeeded();

    /// <summary>What the files in a layout's folder really hold; their names are asserted to say the same.</summary>
    private static async Task<HashSet<Digest>> DigestsInAsync(string folder)
    {
        HashSet<Digest> digests = [];
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            var digest = Digest.Sha256(await File.ReadAllBytesAsync(file));
            Assert.Equal(Path.GetFileName(file), digest.Hex);
            digests.Add(digest);
        }

        return digests;
    }
}
