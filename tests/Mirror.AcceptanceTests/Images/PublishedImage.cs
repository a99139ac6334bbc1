using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Images;

/// <summary>An image or index under a tag of a repository, with all that it leads to.</summary>
/// <param name="Repository">Which.</param>
/// <param name="Tag">Which.</param>
/// <param name="Root">The manifest that the tag points to.</param>
/// <param name="Children">The manifests below it.</param>
/// <param name="Blobs">The blobs of all of them.</param>
internal sealed record PublishedImage(
    string Repository, string Tag, TestBlob Root, IReadOnlyList<TestBlob> Children, IReadOnlyList<TestBlob> Blobs)
{
    public static PublishedImage Of(string repository, string tag, BuiltImage image) =>
        new(repository, tag, image.Manifest, [], [.. image.Blobs]);

    public static PublishedImage Of(string repository, string tag, TestImage image) =>
        new(repository, tag, image.Manifest, [], [.. image.Blobs]);

    public static PublishedImage Of(string repository, string tag, TestIndex index) => new(
        repository,
        tag,
        index.Manifest,
        [.. index.Images.Select(image => image.Manifest)],
        [.. index.Images.SelectMany(image => image.Blobs)]);

    /// <summary>The same for built images.</summary>
    public static PublishedImage OfIndex(string repository, string tag, params IReadOnlyList<BuiltImage> images) => new(
        repository,
        tag,
        BuiltImage.IndexOf(images),
        [.. images.Select(image => image.Manifest)],
        [.. images.SelectMany(image => image.Blobs)]);

    /// <summary>Puts images into a registry: each blob once for each repository.</summary>
    public static async Task PushAsync(Uri registry, params IReadOnlyList<PublishedImage> images)
    {
        await Parallel.ForEachAsync(images.GroupBy(image => image.Repository), async (repository, _) =>
        {
            using var pusher = new HttpPusher(registry);
            foreach (var blob in repository.SelectMany(image => image.Blobs).DistinctBy(blob => blob.Digest))
            {
                await pusher.PushBlobAsync(repository.Key, blob);
            }

            foreach (var image in repository)
            {
                foreach (var child in image.Children)
                {
                    await pusher.PutManifestAsync(repository.Key, child, $"{child.Digest}");
                }

                await pusher.PutManifestAsync(repository.Key, image.Root, image.Tag);
            }
        });
    }

    /// <summary>cosign's tag for what is about a manifest.</summary>
    public static string SignatureTag(Digest digest) => $"sha256-{digest.Hex}.sig";
}
