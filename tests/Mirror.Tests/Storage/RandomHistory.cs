using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Storage;

/// <summary>What pushes, deletes and pulls may do to a store, one at a time and in any order, with few names so that they meet.</summary>
internal sealed class RandomHistory(Store store, Random random)
{
    private static readonly RepositoryName[] Names = [RepositoryName.Parse("app"), RepositoryName.Parse("team/app"), RepositoryName.Parse("lib")];

    private readonly List<TestImage> _images = MakeImages();
    private DateTimeOffset _said = DateTimeOffset.UnixEpoch;

    public static Manifest Parsed(TestImage image)
    {
        Assert.True(Manifest.TryParse(image.Manifest.Content, image.Manifest.MediaType, image.Digest.Algorithm, out var manifest, out _));
        return manifest;
    }

    public Task StepAsync()
    {
        var repository = Names[random.Next(Names.Length)];
        var image = _images[random.Next(_images.Count)];
        var blob = image.Blobs.ElementAt(random.Next(2));
        var tag = Tag.Parse($"t{random.Next(3)}");
        var upstream = new RepositoryKey(random.Next(2) == 0 ? "docker.io" : "ghcr.io", repository);
        TimeSpan? yesHolds = random.Next(2) == 0 ? null : TimeSpan.FromDays(1);
        var sighting = new TagSighting(tag, _said += TimeSpan.FromSeconds(1));
        var local = store.Metadata.Local;
        return random.Next(12) switch
        {
            0 or 1 => local.AddBlobAsync(repository, Publish(blob)),
            2 => PushAsync(repository, image, [tag]),
            3 => PushAsync(repository, image, []),
            // Also the manifest's own bytes as a blob, which they may be too.
            4 => local.AddBlobAsync(repository, Publish(image.Manifest)),
            5 => local.RemoveTagAsync(repository, tag),
            6 => local.RemoveManifestAsync(repository, random.Next(4) == 0 ? blob.Digest : image.Digest),
            7 => local.RemoveBlobAsync(repository, random.Next(4) == 0 ? image.Digest : blob.Digest),
            8 => store.Metadata.RecordManifestAsync(upstream, yesHolds, Parsed(image), Publish(image.Manifest), random.Next(2) == 0 ? [sighting] : []),
            9 => store.Metadata.RecordBlobAsync(upstream, yesHolds, Publish(blob)),
            10 => store.Metadata.RecordConfirmedAsync(upstream, yesHolds, new Descriptor(MediaTypes.OctetStream, blob.Digest, blob.Size)),
            _ => store.Metadata.RemoveTagAsync(upstream, sighting),
        };
    }

    private async Task PushAsync(RepositoryName repository, TestImage image, IReadOnlyList<Tag> tags)
    {
        foreach (var blob in image.Blobs)
        {
            await store.Metadata.Local.AddBlobAsync(repository, Publish(blob));
        }

        Assert.Null(await store.Metadata.Local.AddManifestAsync(repository, Parsed(image), Publish(image.Manifest), tags));
    }

    private BlobRecord Publish(TestBlob blob) => store.Blobs.Publish(blob.Digest, blob.Content.Span);

    private static List<TestImage> MakeImages()
    {
        var images = Enumerable.Range(1, 4).Select(seed => TestImage.Create(seed: seed, layerSize: 1000)).ToList();
        images.AddRange(images.ToList().Select((image, i) =>
            TestImage.Create(seed: 10 + i, layerSize: 10, subject: image.Manifest.Descriptor, artifactType: i % 2 == 0 ? "application/vnd.example" : null)));
        return images;
    }
}
