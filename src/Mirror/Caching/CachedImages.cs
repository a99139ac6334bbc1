using System.Text.Json;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>A cached tag, and how much is here of the image that it points to.</summary>
/// <param name="Tagged">The tag.</param>
/// <param name="Type">What it is, where it is not an image for some platform: an artifact's type; null where nothing is known.</param>
/// <param name="Platforms">Of the images that are here or, for an index, whose manifests are.</param>
/// <param name="Children">How many manifests an index has; 0 for an image.</param>
/// <param name="ChildrenHere">How many of those are here.</param>
/// <param name="BytesHere">Of manifests, configs and layers, each counted once.</param>
/// <param name="Bytes">The same for all that belongs to it. What a manifest that is not here refers to is not known or counted.</param>
/// <param name="IsComplete">Whether config and distributable layers are all here; of an index, those of one child.</param>
public sealed record CachedImage(
    TaggedManifest Tagged,
    string? Type,
    IReadOnlyList<Platform> Platforms,
    int Children,
    int ChildrenHere,
    long BytesHere,
    long Bytes,
    bool IsComplete)
{
    /// <summary>As it is pulled by anybody, whatever the default registry is.</summary>
    public string Name => $"{Tagged.Repository}:{Tagged.Tag}";
}

/// <summary>What the store has of each image. Upstreams are not asked.</summary>
public sealed class CachedImages(Store store, ManifestCache manifests)
{
    private const int PageSize = 200;
    private const long MaxConfigSize = 1024 * 1024;

    /// <summary>
    /// The images whose names match, in the order of registries, repositories and tags; read a page at a time, so that neither many images
    /// nor a slow reader hold anything up.
    /// </summary>
    public async IAsyncEnumerable<CachedImage> ListAsync(Func<string, bool> matches)
    {
        TaggedManifest? last = null;
        while (store.Metadata.ListTaggedManifests(PageSize, last) is { Count: > 0 } page)
        {
            foreach (var tagged in page.Where(tagged => matches($"{tagged.Repository}:{tagged.Tag}")))
            {
                yield return await DescribeAsync(tagged);
            }

            last = page[^1];
        }
    }

    private async Task<CachedImage> DescribeAsync(TaggedManifest tagged)
    {
        if (await manifests.FindStoredAsync(tagged.Repository, tagged.Digest) is not { } manifest)
        {
            return new CachedImage(tagged, Type: null, [], 0, 0, 0, 0, IsComplete: false);
        }

        var contents = new Contents(store.Metadata, tagged.Repository);
        contents.Add(manifest.Descriptor);
        var view = manifest.View();
        if (!view.IsIndex)
        {
            var isWhole = contents.AddBlobs(view);
            var platform = FindPlatform(tagged.Repository, view.Config!);
            var type = platform is null ? view.ArtifactType ?? view.Config!.MediaType : null;
            return new CachedImage(tagged, type, platform is null ? [] : [platform], 0, 0, contents.BytesHere, contents.Bytes, isWhole);
        }

        var (platforms, here, isComplete) = (new List<Platform>(), 0, false);
        foreach (var child in view.Children)
        {
            contents.Add(child);
            if (await manifests.FindStoredAsync(tagged.Repository, child.Digest) is not { } inner)
            {
                continue;
            }

            here++;
            var isWhole = inner.View() is var childView && contents.AddBlobs(childView) && !childView.IsIndex;

            // What builders attach to an image, such as provenance, is for no platform, and no image.
            if (child.Platform is not { OS: "unknown" })
            {
                isComplete |= isWhole;
                platforms.AddRange(child.Platform is { } platform ? [platform] : []);
            }
        }

        return new CachedImage(
            tagged, view.ArtifactType, platforms, view.Children.Count, here, contents.BytesHere, contents.Bytes, isComplete);
    }

    /// <summary>
    /// An image that is here whole: config and distributable layers, each in a file that can be opened. Of an index only itself is looked
    /// at.
    /// </summary>
    public async Task<Manifest?> FindWholeAsync(RepositoryKey repository, Reference reference)
    {
        var digest = reference.Tag is { } tag ? store.Metadata.FindTag(repository, tag)?.Digest : reference.Digest;
        var manifest = digest is null ? null : await manifests.FindStoredAsync(repository, digest.Value);
        return manifest?.View().Blobs.All(blob => MediaTypes.IsForeignLayer(blob.MediaType) || IsHere(repository, blob.Digest)) == true
            ? manifest
            : null;
    }

    /// <summary>A manifest that is here, whatever else of its image is.</summary>
    public Task<Manifest?> FindManifestAsync(RepositoryKey repository, Digest digest) => manifests.FindStoredAsync(repository, digest);

    /// <summary>Whether a blob can be given through a repository without asking its upstream.</summary>
    public bool IsHere(RepositoryKey repository, Digest digest) =>
        store.Metadata.FindLink(repository, digest) is { Held: true, Blob: { } blob } && store.Blobs.CanBeOpened(blob);

    /// <summary>What an image's config says, where it is here.</summary>
    public Platform? FindPlatform(RepositoryKey repository, Descriptor config)
    {
        if (store.Metadata.FindLink(repository, config.Digest) is not { Held: true, Blob: { Size: <= MaxConfigSize } record })
        {
            return null;
        }

        try
        {
            using var blob = store.Blobs.TryOpen(record);
            using var document = JsonDocument.Parse(blob?.ReadWhole() ?? default);
            return Text("os") is { } os && Text("architecture") is { } architecture
                ? new Platform(os, architecture, Text("variant"))
                : null;

            string? Text(string name) => document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                && value.GetString() is { Length: > 0 } text ? text : null;
        }
        // An artifact's config may be anything, a lone surrogate in a string among it; and damage is for those to deal with who read it.
        catch (Exception e) when (e is JsonException or InvalidOperationException or BlobDamagedException)
        {
            return null;
        }
    }

    /// <summary>Adds up what belongs to one image.</summary>
    private sealed class Contents(Metadata metadata, RepositoryKey repository)
    {
        private readonly HashSet<Digest> _counted = [];

        public long Bytes { get; private set; }

        public long BytesHere { get; private set; }

        /// <returns>Whether it is here.</returns>
        public bool Add(Descriptor content)
        {
            var isHere = metadata.FindLink(repository, content.Digest) is { Held: true, Blob: not null };
            if (_counted.Add(content.Digest))
            {
                Bytes += content.Size;
                BytesHere += isHere ? content.Size : 0;
            }

            return isHere;
        }

        /// <returns>Whether all are here.</returns>
        public bool AddBlobs(ManifestView view) =>
            view.Blobs.Where(blob => !MediaTypes.IsForeignLayer(blob.MediaType)).Aggregate(true, (all, blob) => Add(blob) && all);
    }
}
