using System.Net;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class PullTests
{
    private static readonly RepositoryName Alpine = RepositoryName.Parse("library/alpine");

    [Fact]
    public async Task A_second_pull_asks_upstream_for_nothing()
    {
        var image = TestImage.Create(layers: 3, layerSize: 300_000, seed: 1);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Alpine, image, "3.20");
        await using var mirror = await MirrorHost.StartAsync(upstream);

        await PullAsync(mirror, image);
        upstream.ClearRequests();
        await PullAsync(mirror, image);

        Assert.Empty(upstream.Requests);
    }

    private static async Task PullAsync(MirrorHost mirror, TestImage image)
    {
        using var manifest = await mirror.GetAsync("/v2/library/alpine/manifests/3.20");
        Assert.Equal(HttpStatusCode.OK, manifest.StatusCode);
        Assert.Equal(image.Manifest.Content.ToArray(), await manifest.Content.ReadAsByteArrayAsync());
        foreach (var blob in image.Blobs)
        {
            using var answer = await mirror.GetAsync($"/v2/library/alpine/blobs/{blob.Digest}");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(blob.Content.ToArray(), await answer.Content.ReadAsByteArrayAsync());
        }
    }
}
