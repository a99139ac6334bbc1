using Mirror.Caching;
using Mirror.Oci;
using Mirror.Registry;
using Mirror.Storage;

namespace Mirror.Administration;

/// <summary>Takes tags and manifests out of repositories, ours and cached ones. Content that nothing refers to any more stays on the disk until it is collected.</summary>
internal sealed class ImageRemoving(Doors doors, PullThrough cache, Store store)
{
    /// <param name="asked">As it was asked for.</param>
    /// <param name="image">The same, read.</param>
    /// <param name="all">Whether the whole repository is meant.</param>
    public async Task<RemovedImage> RemoveAsync(string asked, ImageName image, bool all)
    {
        var nothing = new RemovedImage(asked, null, null, [], 0, null);
        if (new ImagePlaces(doors).Find(image) is not { } repository)
        {
            return nothing with { Error = ImagePlaces.NotConfigured };
        }

        var name = all ? $"{repository}" : $"{repository}{(image.Reference.Tag is null ? '@' : ':')}{image.Reference}";
        var removed = await (all ? store.Metadata.RemoveAllAsync(repository)
            : image.Reference.Tag is { } tag ? RemoveTagAsync(repository, tag)
            : RemoveManifestAsync(repository, image.Reference.Digest.GetValueOrDefault()));
        cache.Forget(repository);
        return removed is null
            ? nothing with { Name = name, Error = "there is no such thing here" }
            : new RemovedImage(asked, name, removed.Digest?.ToString(), [.. removed.Tags.Select(gone => gone.ToString())], removed.Manifests, null);
    }

    private Task<RemovedRefs?> RemoveTagAsync(RepositoryKey repository, Tag tag) => repository.IsLocal
        ? store.Metadata.Local.RemoveTagAsync(repository.Name, tag)
        : store.Metadata.Cached.RemoveTagAsync(repository, tag, store.Blobs);

    private Task<RemovedRefs?> RemoveManifestAsync(RepositoryKey repository, Digest digest) => repository.IsLocal
        ? store.Metadata.Local.RemoveManifestAsync(repository.Name, digest)
        : store.Metadata.Cached.RemoveManifestAsync(repository, digest, store.Blobs);
}
