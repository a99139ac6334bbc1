using System.Collections.Concurrent;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Adoption;

/// <summary>Takes over the manifests of one repository, with their tags; its blobs are here. Images come before the indexes of them.</summary>
/// <param name="registry">Where the content is.</param>
/// <param name="source">The repository there.</param>
/// <param name="target">Its name here.</param>
/// <param name="own">Gets them.</param>
/// <param name="movesTags">Whether tags that are here and point elsewhere come to point to what they do there.</param>
/// <param name="bad">Blobs that are not here, and why.</param>
/// <param name="tell">Is told what is left out.</param>
internal sealed class ManifestAdoption(
    DistributionFolder registry,
    DistributionRepository source,
    RepositoryName target,
    LocalRepositories own,
    bool movesTags,
    ConcurrentDictionary<Digest, string> bad,
    Action<AdoptionNews> tell)
{
    /// <summary>How many are on their way at once: each waits for the disk several times.</summary>
    private const int Parallelism = 4;

    private readonly ILookup<Digest, Tag> _tags = source.ListTags().ToLookup(tag => tag.Manifest, tag => tag.Tag);
    private readonly ConcurrentDictionary<Digest, bool> _here = [];
    private int _tagged;
    private int _new;

    public async Task<AdoptedRepository> RunAsync(CancellationToken cancellationToken)
    {
        var indexes = new ConcurrentDictionary<Digest, bool>();
        await Parallel.ForEachAsync(
            source.ListManifests(),
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (digest, _) =>
            {
                if (TryRead(digest) is not { } manifest)
                {
                    return;
                }

                if (MediaTypes.IsIndex(manifest.MediaType))
                {
                    indexes[digest] = true;
                }
                else
                {
                    await PushAsync(manifest, manifest.View());
                }
            });
        await PushInOrderAsync(indexes, cancellationToken);
        return new AdoptedRepository($"{target}", _tagged, _here.Count, _new);
    }

    /// <summary>Each index behind those that it refers to. A chain of them may be long.</summary>
    private async Task PushInOrderAsync(ConcurrentDictionary<Digest, bool> indexes, CancellationToken cancellationToken)
    {
        var ahead = new Stack<(Digest Index, bool IsReady)>(indexes.Keys.Select(digest => (digest, false)));
        while (ahead.TryPop(out var next))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!(next.IsReady || indexes.TryRemove(next.Index, out _)) || TryRead(next.Index) is not { } manifest)
            {
                continue;
            }

            var view = manifest.View();
            var before = next.IsReady ? [] : view.Children.Select(child => child.Digest).Where(indexes.ContainsKey).Distinct().ToList();
            if (before.Count == 0)
            {
                await PushAsync(manifest, view);
                continue;
            }

            ahead.Push((next.Index, true));
            before.ForEach(digest => ahead.Push((digest, false)));
        }
    }

    private async Task PushAsync(Manifest manifest, ManifestView view)
    {
        var tags = _tags[manifest.Digest].Where(tag => IsToSet(tag, manifest.Digest)).ToList();
        var wasHere = own.HasManifest(target, manifest.Digest);
        if (wasHere && tags.Count == 0)
        {
            Count(manifest.Digest, isNew: false);
            return;
        }

        // One without some of its images, as a client may push it, is of use for the others.
        var children = view.Children.Select(child => child.Digest).Distinct().ToList();
        if (children.Count > 0 && !children.Exists(child => own.HasManifest(target, child)))
        {
            LeaveOut(manifest.Digest, $"none of the {children.Count} images that it is an index of is here");
            return;
        }

        switch (await own.PushManifestAsync(target, manifest.Content, manifest.MediaType, manifest.Digest, tags, lender: null))
        {
            case PushAnswer.Pushed:
                Count(manifest.Digest, !wasHere);
                break;
            case PushAnswer.Lacking(var reference):
                LeaveOut(manifest.Digest, Why(reference));
                break;
            case PushAnswer.Invalid(var why):
                LeaveOut(manifest.Digest, why);
                break;
            case PushAnswer.OtherDigest:
                LeaveOut(manifest.Digest, "it is damaged: its bytes do not have this digest");
                break;
        }
    }

    private string Why(LackingReference lacking) =>
        lacking.IsThere ? $"it says another size of {lacking.Content.Digest} than that has"
        : bad.TryGetValue(lacking.Content.Digest, out var why) ? $"it needs {lacking.Content.Digest}, and {why}"
        : $"it needs {lacking.Content.Digest}, which this repository does not have there";

    /// <summary>A tag that is here was set by somebody who wanted it so, perhaps since the last time; unless that is not to count.</summary>
    private bool IsToSet(Tag tag, Digest digest)
    {
        var here = own.FindTag(target, tag);
        if (here is null || (movesTags && here != digest))
        {
            return true;
        }

        if (here != digest)
        {
            tell(new AdoptionNews(LeftOut: new LeftOut(
                $"{target}:{tag}", $"it points to {here} here, and to {digest} there; --move-tags lets it point to that")));
        }

        return false;
    }

    private void Count(Digest digest, bool isNew)
    {
        _here[digest] = true;
        Interlocked.Add(ref _tagged, _tags[digest].Count(tag => own.FindTag(target, tag) == digest));
        Interlocked.Add(ref _new, isNew ? 1 : 0);
    }

    /// <summary>A manifest there, verified.</summary>
    private Manifest? TryRead(Digest digest)
    {
        try
        {
            if (registry.FindFile(digest) is not { } file)
            {
                LeaveOut(digest, "its content is gone");
                return null;
            }

            if (file.Length > Manifest.MaxSize)
            {
                LeaveOut(digest, $"a manifest has at most {Manifest.MaxSize} bytes, and this has {file.Length}");
                return null;
            }

            // What has no length may be no file: a pipe would be waited for for ever.
            var content = file.Length == 0 ? [] : File.ReadAllBytes(file.FullName);
            if (!digest.Matches(content))
            {
                LeaveOut(digest, "it is damaged: its bytes do not have this digest");
                return null;
            }

            if (Manifest.TryParse(content, contentType: null, digest.Algorithm, out var manifest, out var fault))
            {
                return manifest;
            }

            LeaveOut(digest, fault);
        }
        catch (Exception e) when (e is UnauthorizedAccessException || (e is IOException failure && !Durability.IsDiskFull(failure)))
        {
            LeaveOut(digest, $"it can not be read: {e.Message}");
        }

        return null;
    }

    private void LeaveOut(Digest digest, string why)
    {
        var tags = _tags[digest].Select(tag => $"{tag}").Order(StringComparer.Ordinal).ToList();
        var named = tags.Count == 0 ? "" : $" ({(tags.Count == 1 ? "tag" : "tags")} {string.Join(", ", tags)})";
        tell(new AdoptionNews(LeftOut: new LeftOut($"{target}@{digest}{named}", why)));
    }
}
