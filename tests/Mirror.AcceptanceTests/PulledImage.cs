using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>A pull with nothing but HTTP, of images that no client could unpack.</summary>
internal static class PulledImage
{
    public static async Task AssertIsAsync(TestImage image, MirrorProcess mirror, RepositoryName repository, string tag)
    {
        using var http = new HttpClient { BaseAddress = mirror.Url };
        Assert.Equal(image.Digest, Digest.Sha256(await http.GetByteArrayAsync($"/v2/{repository}/manifests/{tag}")));
        foreach (var blob in image.Blobs)
        {
            Assert.Equal(blob.Digest, Digest.Sha256(await http.GetByteArrayAsync($"/v2/{repository}/blobs/{blob.Digest}")));
        }
    }
}
