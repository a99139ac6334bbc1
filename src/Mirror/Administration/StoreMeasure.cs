using Mirror.Caching;
using Mirror.Storage;

namespace Mirror.Administration;

/// <summary>How much is in the store.</summary>
internal static class StoreMeasure
{
    public static StoreUsage Take(Store store)
    {
        var content = store.Metadata.MeasureContent();
        var registries = content.Select(held => held.Registry).OfType<string>().Distinct()
            .Select(name => new RegistryUsage(name, Count(content, name, areManifests: true), Count(content, name, areManifests: false)));
        var files = store.MeasureFiles();
        return new StoreUsage(
            files.Root,
            [.. registries],
            Count(content, registry: null, areManifests: true),
            Count(content, registry: null, areManifests: false),
            new ContentCount(files.StagedCount, files.StagedBytes),
            files.DatabaseBytes,
            files.FreeBytes);
    }

    private static ContentCount Count(IReadOnlyList<HeldContent> content, string? registry, bool areManifests) =>
        content.FirstOrDefault(held => held.Registry == registry && held.AreManifests == areManifests) is { } held
            ? new ContentCount(held.Count, held.Bytes)
            : ContentCount.None;
}
