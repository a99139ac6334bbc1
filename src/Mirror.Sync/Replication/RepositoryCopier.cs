using System.Collections.Concurrent;
using System.Collections.Frozen;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.Repositories;

namespace Mirror.Sync.Replication;

/// <summary>
/// Copies tags from one repository to another: blobs, then children, then the manifest, then what refers to it, then the tag, so that
/// whoever sees a tag can pull it whole. A manifest's bytes are never changed, except those of an index that the job wants to be smaller.
/// </summary>
internal sealed class RepositoryCopier(
    SyncJob job,
    ISourceRepository from,
    ITargetRepository to,
    PlannedRepository plan,
    BlobCopier blobs,
    TargetBlobs places,
    QuotaReserve quota)
{
    private const int BlobsAtOnce = 6;

    /// <summary>What refers to what refers to an image … ends somewhere.</summary>
    private const int MaxDepth = 8;

    private readonly PlatformSelector _platforms = job.PlatformSelector;

    /// <summary>Manifests that are whole at the target.</summary>
    private readonly ConcurrentDictionary<Digest, bool> _whole = [];

    private readonly FrozenDictionary<Digest, SharedManifest> _shared = plan.Tags
        .Where(tag => tag is { Action: PlannedAction.Copy or PlannedAction.Update, Manifest: null })
        .GroupBy(tag => tag.Source!.Value)
        .Where(tags => tags.Skip(1).Any())
        .ToFrozenDictionary(tags => tags.Key, tags => new SharedManifest(tags.Count()));

    /// <returns>What the target has under the tag now.</returns>
    /// <exception cref="CopyFailedException">The tag is as it was.</exception>
    public async Task<Digest> CopyAsync(PlannedTag tag, CancellationToken cancellationToken)
    {
        var original = tag.Manifest ?? await GetOnceAsync(tag.Source!.Value, cancellationToken);
        try
        {
            return await CopyAsync(tag.Tag, original, isTrusting: true, cancellationToken);
        }
        // Registries lose what they had, and some say that they have what they have not: what was believed is asked for again.
        catch (CopyFailedException e) when (e.IsContentUnknown && !IsSparse(original))
        {
            return await CopyAsync(tag.Tag, original, isTrusting: false, cancellationToken);
        }
    }

    /// <summary>
    /// Copies what an image at the target lacks: an index may have been put there for fewer platforms, and content goes away.
    /// </summary>
    /// <exception cref="CopyFailedException">Some of it is not there.</exception>
    public async Task CompleteAsync(Descriptor there, CancellationToken cancellationToken) =>
        await CopyContentAsync(await GetFromTargetAsync(there.Digest, cancellationToken), isTrusting: true, 0, cancellationToken);

    /// <summary>What has come to refer to an image that has not changed.</summary>
    /// <param name="digest">The image at the target.</param>
    /// <param name="there">What the target has said of it, if it was asked.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CopyFailedException">Some of it is not there.</exception>
    public async Task CopyReferrersAsync(Digest digest, Descriptor? there, CancellationToken cancellationToken)
    {
        var seen = new HashSet<Digest> { digest };
        foreach (var referrer in await FindReferrersAsync(await FindSubjectsAsync(digest, there, cancellationToken), cancellationToken))
        {
            await CopyAsync(referrer, 1, seen, isTrusting: true, cancellationToken);
        }
    }

    /// <summary>Only an index has parts that others may be about.</summary>
    private async Task<IEnumerable<Digest>> FindSubjectsAsync(Digest digest, Descriptor? there, CancellationToken cancellationToken)
    {
        if (there is not null && MediaTypes.IsImage(there.MediaType))
        {
            return [digest];
        }

        var manifest = await GetFromTargetAsync(digest, cancellationToken);
        return SubjectsOf(manifest, manifest);
    }

    /// <summary>What the target has costs nothing of the source's quota.</summary>
    private async Task<Manifest> GetFromTargetAsync(Digest digest, CancellationToken cancellationToken) =>
        await to.GetManifestAsync(digest, cancellationToken) switch
        {
            RemoteAnswer<Manifest>.Found(var found) => found,
            var answer => throw new CopyFailedException($"{digest} can not be read at the target: {WhyOf(answer)}"),
        };

    private async Task<Digest> CopyAsync(Tag tag, Manifest original, bool isTrusting, CancellationToken cancellationToken)
    {
        var manifest = MadeOf(original);
        await CopyContentAsync(original, isTrusting, 0, cancellationToken);
        var referrers = job.Referrers ? await FindReferrersAsync(SubjectsOf(original, manifest), cancellationToken) : [];
        if (referrers.Count > 0)
        {
            await PutAsync(manifest.Digest, manifest, original, cancellationToken);
            var seen = new HashSet<Digest> { original.Digest };
            foreach (var referrer in referrers)
            {
                await CopyAsync(referrer, 1, seen, isTrusting, cancellationToken);
            }
        }

        await PutAsync(tag, manifest, original, cancellationToken);
        _whole.TryAdd(manifest.Digest, true);
        return manifest.Digest;
    }

    /// <summary>All that a manifest leads to, without itself.</summary>
    private async Task CopyContentAsync(Manifest manifest, bool isTrusting, int depth, CancellationToken cancellationToken)
    {
        var view = manifest.View();
        if (depth > MaxDepth)
        {
            throw new CopyFailedException($"{manifest.Digest} lies more than {MaxDepth} manifests deep");
        }

        foreach (var child in Chosen(view))
        {
            if (!MediaTypes.IsManifest(child.MediaType))
            {
                await CopyBlobAsync(child, isTrusting, cancellationToken);
            }
            else if (!await IsWholeAsync(child, isTrusting, cancellationToken))
            {
                var content = await GetAsync(child.Digest, cancellationToken);
                await CopyContentAsync(content, isTrusting, depth + 1, cancellationToken);
                await PutAsync(child.Digest, content, content, cancellationToken);
                _whole[child.Digest] = true;
            }
        }

        if (!view.IsIndex && !(isTrusting && await IsWholeAsync(manifest.Descriptor, isTrusting, cancellationToken)))
        {
            var needed = view.Blobs.Where(blob => !MediaTypes.IsForeignLayer(blob.MediaType)).DistinctBy(blob => blob.Digest);
            var options = new ParallelOptions { MaxDegreeOfParallelism = BlobsAtOnce, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(needed, options, async (blob, token) => await CopyBlobAsync(blob, isTrusting, token));
        }
    }

    private Task CopyBlobAsync(Descriptor blob, bool isTrusting, CancellationToken cancellationToken)
    {
        if (!isTrusting)
        {
            places.Remove(to.Name, blob.Digest);
        }

        return blobs.CopyAsync(from, to, blob, isNew: plan.IsNew && isTrusting, cancellationToken);
    }

    /// <summary>
    /// A registry that has an image's manifest has had its blobs, or would not have taken it. An index says less: it may have been taken
    /// without some of its children.
    /// </summary>
    private async Task<bool> IsWholeAsync(Descriptor manifest, bool isTrusting, CancellationToken cancellationToken)
    {
        if (!isTrusting || _whole.ContainsKey(manifest.Digest))
        {
            return isTrusting;
        }

        if (plan.IsNew || !MediaTypes.IsImage(manifest.MediaType))
        {
            return false;
        }

        switch (await to.ResolveAsync(manifest.Digest, known: null, cancellationToken))
        {
            case RemoteAnswer<ResolvedTag>.Failed(RemoteFailure.Missing):
                return false;

            case RemoteAnswer<ResolvedTag>.Failed(var failure):
                throw new CopyFailedException($"the target does not say whether it has {manifest.Digest}: {failure.WhyInFull}", failure);

            default:
                _whole[manifest.Digest] = true;
                return true;
        }
    }

    private IReadOnlyList<Descriptor> Chosen(ManifestView view)
    {
        var chosen = _platforms.Select(view.Children);
        return chosen.Count > 0 || view.Children.Count == 0
            ? chosen
            : throw new CopyFailedException($"it has nothing for {string.Join(", ", job.Platforms)}");
    }

    /// <summary>Whether only a part of it is copied.</summary>
    private bool IsPart(Manifest manifest) => manifest.View() is { IsIndex: true } view && Chosen(view).Count < view.Children.Count;

    private bool IsSparse(Manifest manifest) => job.Index == IndexMode.Sparse && IsPart(manifest);

    /// <summary>What goes to the target in place of a manifest: most often itself.</summary>
    private Manifest MadeOf(Manifest original) =>
        job.Index == IndexMode.Rewrite && IsPart(original) ? SmallerIndex.Of(original, Chosen(original.View())) : original;

    /// <summary>
    /// The manifests of an image about which others may be: itself, and its children. What is about an index is not about a smaller one.
    /// </summary>
    private IEnumerable<Digest> SubjectsOf(Manifest original, Manifest made) =>
        Chosen(original.View()).Where(child => MediaTypes.IsManifest(child.MediaType)).Select(child => child.Digest)
            .Concat(made.Digest == original.Digest ? [original.Digest] : []);

    private async Task<IReadOnlyList<Reference>> FindReferrersAsync(IEnumerable<Digest> subjects, CancellationToken cancellationToken)
    {
        var found = new List<Reference>();
        foreach (var subject in subjects)
        {
            switch (await from.ListReferrersAsync(subject, plan.Listed, cancellationToken))
            {
                case RemoteAnswer<IReadOnlyList<Descriptor>>.Found(var referrers):
                    to.NoteReferrers(subject, referrers);
                    found.AddRange(referrers
                        .Where(referrer => MediaTypes.IsManifest(referrer.MediaType))
                        .Select(referrer => (Reference)referrer.Digest));
                    break;

                case RemoteAnswer<IReadOnlyList<Descriptor>>.Failed(var failure):
                    throw new CopyFailedException($"what refers to {subject} is not known: {failure.WhyInFull}");
            }

            found.AddRange(plan.SubjectTags[subject].Select(tag => (Reference)tag));
        }

        return found;
    }

    /// <summary>One manifest that is about another, and what is about itself.</summary>
    private async Task CopyAsync(Reference referrer, int depth, HashSet<Digest> seen, bool isTrusting, CancellationToken cancellationToken)
    {
        var digest = referrer.Digest ?? await ResolveAsync(referrer, cancellationToken);
        var isFirst = seen.Add(digest);
        if (!isFirst && referrer.Tag is null)
        {
            return;
        }

        var isThere = isTrusting
            && await to.ResolveAsync(referrer, known: null, cancellationToken) is RemoteAnswer<ResolvedTag>.Found(var there)
            && there.Descriptor.Digest == digest;
        if (!isThere)
        {
            var answer = await AskAsync(digest, cancellationToken);
            if (answer is RemoteAnswer<Manifest>.Failed(RemoteFailure.Missing) && referrer.Tag is null)
            {
                // Lists that clients write by themselves go on naming what was deleted.
                return;
            }

            var manifest = Received(digest, answer);
            await CopyContentAsync(manifest, isTrusting, depth, cancellationToken);
            await PutAsync(referrer, manifest, manifest, cancellationToken);
        }

        // Tags may make a signature its own: what is about it is asked once.
        foreach (var next in isFirst && depth < MaxDepth ? await FindReferrersAsync([digest], cancellationToken) : [])
        {
            await CopyAsync(next, depth + 1, seen, isTrusting, cancellationToken);
        }
    }

    private static string WhyOf<T>(RemoteAnswer<T> answer) => ((RemoteAnswer<T>.Failed)answer).Failure.WhyInFull;

    private async Task<Digest> ResolveAsync(Reference reference, CancellationToken cancellationToken) =>
        await from.ResolveAsync(reference, known: null, cancellationToken) switch
        {
            RemoteAnswer<ResolvedTag>.Found(var found) => found.Descriptor.Digest,
            var answer => throw new CopyFailedException($"{reference} is not known: {WhyOf(answer)}"),
        };

    private Task<Manifest> GetOnceAsync(Digest digest, CancellationToken cancellationToken) =>
        _shared.TryGetValue(digest, out var shared)
            ? shared.GetAsync(() => GetAsync(digest, cancellationToken))
            : GetAsync(digest, cancellationToken);

    private async Task<Manifest> GetAsync(Digest digest, CancellationToken cancellationToken) =>
        Received(digest, await AskAsync(digest, cancellationToken));

    private Task<RemoteAnswer<Manifest>> AskAsync(Digest digest, CancellationToken cancellationToken)
    {
        quota.Check();
        return from.GetManifestAsync(digest, cancellationToken);
    }

    private static Manifest Received(Digest digest, RemoteAnswer<Manifest> answer) =>
        answer is RemoteAnswer<Manifest>.Found(var manifest)
            ? manifest
            : throw new CopyFailedException($"manifest {digest} can not be read: {WhyOf(answer)}");

    private async Task PutAsync(Reference reference, Manifest manifest, Manifest original, CancellationToken cancellationToken)
    {
        if (await to.PutManifestAsync(reference, manifest, cancellationToken) is not RemoteAnswer<Descriptor>.Failed(var failure))
        {
            return;
        }

        var advice = failure is RemoteFailure.Refused { Reason: RefusalReason.ContentUnknown } && IsSparse(original)
            ? ". It takes no index of which only some platforms are there: `index: rewrite` makes a smaller one with a digest of its own"
            : "";
        throw new CopyFailedException($"the target does not take {reference}: {failure.WhyInFull}{advice}", failure);
    }
}
