using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Mirror.AcceptanceTests.Images;
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

    /// <summary>Whether a registry has these under the same digests, and all that they lead to.</summary>
    public static async Task AssertAreThereAsync(Uri registry, params IEnumerable<PublishedImage> images)
    {
        var read = new HashSet<string>();
        foreach (var image in images)
        {
            Assert.Equal(image.Root.Digest, await ReadAsync(registry, image.Repository, image.Tag, read));
        }
    }

    /// <summary>Whether each tag that a registry shows of a repository leads to something, all of which is there.</summary>
    /// <returns>The tags.</returns>
    public static async Task<IReadOnlyList<string>> AssertIsWholeAsync(Uri registry, string repository)
    {
        var read = new HashSet<string>();
        var tags = await ListTagsAsync(registry, repository);
        foreach (var tag in tags)
        {
            await ReadAsync(registry, repository, tag, read);
        }

        return tags;
    }

    /// <summary>In one page. None where there is no such repository.</summary>
    public static async Task<IReadOnlyList<string>> ListTagsAsync(Uri registry, string repository)
    {
        using var http = new HttpClient { BaseAddress = registry };
        using var answer = await http.GetAsync($"/v2/{repository}/tags/list?n=1000");
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return [];
        }

        answer.EnsureSuccessStatusCode();
        var list = await answer.Content.ReadFromJsonAsync<JsonObject>();
        return [.. (list!["tags"] as JsonArray ?? []).Select(tag => (string)tag!)];
    }

    /// <summary>What a registry says of a manifest or blob.</summary>
    public static async Task<HttpStatusCode> HeadAsync(Uri registry, string path)
    {
        using var http = new HttpClient { BaseAddress = registry };
        using var head = new HttpRequestMessage(HttpMethod.Head, path);
        head.Headers.TryAddWithoutValidation("Accept", MediaTypes.Manifests);
        using var answer = await http.SendAsync(head);
        return answer.StatusCode;
    }

    /// <param name="registry">Where.</param>
    /// <param name="repository">Where there.</param>
    /// <param name="reference">A tag or a digest.</param>
    /// <param name="read">What was read already is not read again.</param>
    private static async Task<Digest> ReadAsync(Uri registry, string repository, string reference, HashSet<string> read)
    {
        using var http = new HttpClient { BaseAddress = registry };
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v2/{repository}/manifests/{reference}");
        request.Headers.TryAddWithoutValidation("Accept", MediaTypes.Manifests);
        using var answer = await http.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, $"{repository}:{reference}: {answer.StatusCode}");
        var content = await answer.Content.ReadAsByteArrayAsync();
        var mediaType = answer.Content.Headers.ContentType!.MediaType!;
        Assert.True(Manifest.TryParse(content, mediaType, DigestAlgorithm.Sha256, out var manifest, out var fault), fault);
        foreach (var child in manifest.View().Children.Where(child => read.Add($"{repository} {child.Digest}")))
        {
            Assert.Equal(child.Digest, await ReadAsync(registry, repository, $"{child.Digest}", read));
        }

        foreach (var blob in manifest.View().Blobs.Where(blob => read.Add($"{repository} {blob.Digest}")))
        {
            Assert.Equal(blob.Digest, Digest.Sha256(await http.GetByteArrayAsync($"/v2/{repository}/blobs/{blob.Digest}")));
        }

        return manifest.Digest;
    }
}
