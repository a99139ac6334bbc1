using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Repositories;

namespace Mirror.Sync.Planning;

/// <summary>
/// Says how large that is which a plan copies. It fetches the manifests, which costs quota where there is one: below the job's reserve
/// nothing is fetched, and sizes stay unknown. What the target has already is not taken off.
/// </summary>
internal sealed class PlanSizes(SyncJob job, ISourceRegistry source)
{
    private readonly Dictionary<Digest, long> _all = [];

    public async Task<SyncPlan> MeasureAsync(SyncPlan plan, CancellationToken cancellationToken)
    {
        var repositories = new List<PlannedRepository>();
        foreach (var repository in plan.Repositories)
        {
            var tags = new List<PlannedTag>();
            foreach (var tag in repository.Tags)
            {
                tags.Add(tag.Action is PlannedAction.Copy or PlannedAction.Update
                    ? await MeasureAsync(source.GetSource(repository.Names.Source), tag, cancellationToken)
                    : tag);
            }

            repositories.Add(repository with { Tags = tags });
        }

        return plan with { Repositories = repositories, Size = SumOf(_all.Values) };
    }

    private async Task<PlannedTag> MeasureAsync(ISourceRepository repository, PlannedTag tag, CancellationToken cancellationToken)
    {
        var sizes = new Dictionary<Digest, long>();
        var manifest = tag.Manifest ?? await FindAsync(repository, tag.Source!.Value, cancellationToken);
        if (manifest is null || !await AddAsync(repository, manifest, sizes, cancellationToken))
        {
            return tag;
        }

        foreach (var (digest, size) in sizes)
        {
            _all[digest] = size;
        }

        return tag with { Manifest = manifest, Size = SumOf(sizes.Values) };
    }

    /// <returns>Whether all of it is known.</returns>
    private async Task<bool> AddAsync(
        ISourceRepository repository, Manifest manifest, Dictionary<Digest, long> sizes, CancellationToken cancellationToken)
    {
        if (!sizes.TryAdd(manifest.Digest, manifest.Content.Length))
        {
            return true;
        }

        var view = manifest.View();
        foreach (var blob in view.Blobs.Where(blob => !MediaTypes.IsForeignLayer(blob.MediaType)))
        {
            sizes[blob.Digest] = blob.Size;
        }

        foreach (var child in job.PlatformSelector.Select(view.Children).Where(child => MediaTypes.IsManifest(child.MediaType)))
        {
            if (await FindAsync(repository, child.Digest, cancellationToken) is not { } found
                || !await AddAsync(repository, found, sizes, cancellationToken))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Manifests say what they like of their layers; more than can be counted is no size.</summary>
    private static long? SumOf(IEnumerable<long> sizes)
    {
        var sum = sizes.Aggregate(default(Int128), (sum, size) => sum + size);
        return sum <= long.MaxValue ? (long)sum : null;
    }

    private async Task<Manifest?> FindAsync(ISourceRepository repository, Digest digest, CancellationToken cancellationToken) =>
        source.Quota is { } quota && quota.Remaining <= job.Reserve
            ? null
            : (await repository.GetManifestAsync(digest, cancellationToken) as RemoteAnswer<Manifest>.Found)?.Content;
}
