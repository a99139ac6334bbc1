using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Registry;
using Mirror.Storage;

namespace Mirror.Administration;

/// <summary>Asks upstream what a tag is now, and says what has become of it.</summary>
internal sealed class TagRefreshing(Doors doors, TagCache tags, Metadata metadata)
{
    public async Task<RefreshedImage> RefreshAsync(string asked, ImageName image, CancellationToken cancellationToken)
    {
        var failed = new RefreshedImage(asked, null, RefreshOutcome.Failed, null, null, null);
        if (!new ImagePlaces(doors).TryFind(image, out var repository, out var why))
        {
            return failed with { Why = why };
        }

        if (image.Reference.Tag is not { } tag)
        {
            return failed with { Why = "a digest is always the same: name a tag" };
        }

        var before = metadata.FindTag(repository.Key, tag)?.Digest.ToString();
        var known = failed with { Name = $"{repository.Key}:{tag}", Before = before, After = before };
        if (repository.Upstream.OfflineAnswer is not null)
        {
            return known with { Why = $"{repository.Upstream.Name} is offline: it is not asked" };
        }

        return await tags.RefreshAsync(repository, tag, cancellationToken) switch
        {
            RemoteAnswer<Manifest>.Found(var manifest) => Compare(known, manifest.Digest.ToString()),
            RemoteAnswer<Manifest>.Failed(RemoteFailure.Missing missing) =>
                known with { After = null, Outcome = RefreshOutcome.Gone, Why = missing.Why },
            RemoteAnswer<Manifest>.Failed(var failure) => known with { Why = failure.WhyInFull },
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    private static RefreshedImage Compare(RefreshedImage known, string after) => known with
    {
        After = after,
        Outcome = known.Before is null ? RefreshOutcome.New : known.Before == after ? RefreshOutcome.Unchanged : RefreshOutcome.Moved,
    };
}
