using System.Collections.Concurrent;
using System.Data.Common;
using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>Some blobs, or other content.</summary>
/// <param name="Count">How many.</param>
/// <param name="Bytes">Of all of them together.</param>
public sealed record ContentCount(long Count, long Bytes)
{
    public static ContentCount None { get; } = new(0, 0);

    public ContentCount Add(long bytes) => new(Count + 1, Bytes + bytes);
}

/// <summary>Content of an image that could not be had, and why.</summary>
public sealed record LackingContent(Digest Digest, string Why);

/// <summary>How the fetching of an image stands. Blobs are configs and layers, each counted once; manifests are not counted.</summary>
/// <param name="All">All blobs that are known to belong to it; complete before the first is fetched.</param>
/// <param name="AlreadyHere">Those that did not have to be fetched.</param>
/// <param name="Fetched">Those that have been, by this or by a download that was running already.</param>
/// <param name="Received">Bytes of those that are being fetched.</param>
/// <param name="Lacking">What can not be had.</param>
public sealed record ImageProgress(
    ContentCount All, ContentCount AlreadyHere, ContentCount Fetched, long Received, IReadOnlyList<LackingContent> Lacking);

/// <summary>
/// Fetches what an image still lacks: its manifest, its children's, configs and layers. All goes through the caches that clients go
/// through, so running downloads are joined and nothing is fetched twice; clients come first. What can not be had is no reason to leave
/// the rest.
/// </summary>
public sealed class WholeImage(CacheStore store, ManifestCache manifests, WholeBlob wholeBlob)
{
    private const int MaxAtOnce = 4;

    /// <summary>An index of indexes is the most that is in use.</summary>
    private const int MaxDepth = 3;

    /// <summary>Of manifests and blobs: no image has so many, and what an upstream makes up need not be kept in mind.</summary>
    private const int MaxContents = 20_000;

    /// <param name="repository">Through which it is fetched.</param>
    /// <param name="digest">Of the image's manifest or index.</param>
    /// <param name="platforms">Which of an index's images; none for all. One without a variant means every variant.</param>
    /// <param name="report">Called with each change, by one thread at a time; null where nobody wants to know.</param>
    /// <param name="cancellationToken">Ends this; running downloads go on.</param>
    public async Task<ImageProgress> FetchAsync(
        UpstreamRepository repository,
        Digest digest,
        IReadOnlyList<Platform> platforms,
        Action<ImageProgress>? report,
        CancellationToken cancellationToken)
    {
        var tally = new Tally(report);
        var bounds = new ParallelOptions { MaxDegreeOfParallelism = MaxAtOnce, CancellationToken = cancellationToken };
        var found = await FindBlobsAsync(repository, digest, platforms, tally, bounds);
        await Parallel.ForEachAsync(found, bounds, async (blob, cancellation) =>
            await TolerateAsync(blob.Digest, tally, () => FetchBlobAsync(repository, blob, tally, cancellation)));
        return tally.Now;
    }

    /// <summary>Fetches the manifests, one level after the other, and finds the blobs that they refer to.</summary>
    private async Task<IReadOnlyCollection<Descriptor>> FindBlobsAsync(
        UpstreamRepository repository, Digest root, IReadOnlyList<Platform> platforms, Tally tally, ParallelOptions bounds)
    {
        var level = new ConcurrentBag<Digest> { root };
        var found = new ConcurrentBag<Descriptor>();
        for (var depth = 0; !level.IsEmpty; depth++)
        {
            var next = new ConcurrentBag<Digest>();
            await Parallel.ForEachAsync(level, bounds, async (digest, cancellation) =>
            {
                if (depth == MaxDepth)
                {
                    tally.Lack(digest, "it is an index's index's index, which is not followed");
                }
                else
                {
                    await TolerateAsync(digest, tally, () => FetchManifestAsync(repository, digest, tally, AddContents, cancellation));
                }
            });
            level = next;

            void AddContents(Manifest manifest)
            {
                var view = manifest.View();
                foreach (var content in Choose(view, platforms, tally, manifest.Digest).Concat(view.Blobs).Where(tally.TryAdd))
                {
                    if (view.IsIndex && MediaTypes.IsManifest(content.MediaType))
                    {
                        next.Add(content.Digest);
                    }
                    else
                    {
                        found.Add(content);
                    }
                }
            }
        }

        return found;
    }

    /// <summary>An index's children for some platforms, and those that are indexes themselves and say nothing of a platform.</summary>
    private static IEnumerable<Descriptor> Choose(ManifestView view, IReadOnlyList<Platform> platforms, Tally tally, Digest digest)
    {
        if (platforms.Count == 0 || !view.IsIndex)
        {
            return view.Children;
        }

        var nested = view.Children.Where(child => child.Platform is null && MediaTypes.IsIndex(child.MediaType)).ToList();
        foreach (var platform in platforms.Where(platform => nested.Count == 0 && !view.Children.Any(child => IsFor(child, platform))))
        {
            tally.Lack(digest, $"the index has no image for {platform}");
        }

        return view.Children.Where(child => platforms.Any(platform => IsFor(child, platform))).Concat(nested);
    }

    private static bool IsFor(Descriptor child, Platform wanted) => child.Platform is { } platform && wanted.Includes(platform);

    private async Task FetchManifestAsync(
        UpstreamRepository repository, Digest digest, Tally tally, Action<Manifest> found, CancellationToken cancellationToken)
    {
        switch (await manifests.GetAsync(repository, digest, cancellationToken))
        {
            case RemoteAnswer<Manifest>.Found(var manifest):
                if (store.FindBlob(digest) is null)
                {
                    tally.Lack(digest, "the mirror could not store it");
                }

                found(manifest);
                break;

            case RemoteAnswer<Manifest>.Failed(var failure):
                tally.Lack(digest, failure.WhyInFull);
                break;
        }
    }

    private async Task FetchBlobAsync(UpstreamRepository repository, Descriptor blob, Tally tally, CancellationToken cancellationToken)
    {
        switch (await wholeBlob.FetchAsync(
            repository, blob.Digest, TransferPriority.Completion, written => tally.Receive(blob.Digest, written), cancellationToken))
        {
            case RemoteAnswer<bool>.Found(var isFetched) when isFetched:
                tally.Fetch(blob);
                break;

            case RemoteAnswer<bool>.Found:
                tally.Find(blob);
                break;

            case RemoteAnswer<bool>.Failed(var failure):
                tally.Lack(blob.Digest, failure.WhyInFull);
                break;
        }
    }

    /// <summary>What fails here costs its own content alone.</summary>
    private static async Task TolerateAsync(Digest content, Tally tally, Func<Task> fetch)
    {
        try
        {
            await fetch();
        }
        catch (Exception e) when (e is DownloadFailedException or IOException or UnauthorizedAccessException or DbException)
        {
            tally.Lack(content, e.Message);
        }
    }

    /// <summary>Counts, for several at once.</summary>
    private sealed class Tally(Action<ImageProgress>? report)
    {
        private readonly Lock _gate = new();
        private readonly HashSet<Digest> _known = [];
        private readonly Dictionary<Digest, long> _received = [];
        private readonly List<LackingContent> _lacking = [];
        private bool _isTooMuch;
        private ContentCount _all = ContentCount.None;
        private ContentCount _found = ContentCount.None;
        private ContentCount _fetched = ContentCount.None;

        public ImageProgress Now
        {
            get
            {
                lock (_gate)
                {
                    return Snapshot();
                }
            }
        }

        /// <summary>Whether it is to be looked at: not where that has been done, and not where a registry need not have it.</summary>
        public bool TryAdd(Descriptor content)
        {
            lock (_gate)
            {
                if (_isTooMuch || MediaTypes.IsForeignLayer(content.MediaType) || !_known.Add(content.Digest))
                {
                    return false;
                }

                _isTooMuch = _known.Count > MaxContents;
                if (_isTooMuch)
                {
                    _lacking.Add(new LackingContent(content.Digest, $"the image refers to more than {MaxContents} manifests and blobs"));
                    return false;
                }

                _all = MediaTypes.IsManifest(content.MediaType) ? _all : _all.Add(content.Size);
                return true;
            }
        }

        public void Find(Descriptor blob) => Change(() => _found = _found.Add(blob.Size));

        public void Receive(Digest blob, long bytes) => Change(() => _received[blob] = bytes);

        public void Fetch(Descriptor blob) => Change(() =>
        {
            _received.Remove(blob.Digest);
            _fetched = _fetched.Add(blob.Size);
        });

        public void Lack(Digest content, string why) => Change(() =>
        {
            _received.Remove(content);
            _lacking.Add(new LackingContent(content, why));
        });

        private void Change(Action change)
        {
            lock (_gate)
            {
                change();
                report?.Invoke(Snapshot());
            }
        }

        private ImageProgress Snapshot() => new(_all, _found, _fetched, _received.Values.Sum(), [.. _lacking]);
    }
}
