using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Registry;

namespace Mirror.Administration;

/// <summary>Pulls whole images into the cache, one after the other.</summary>
internal sealed class ImageWarming(Doors doors, PullThrough cache)
{
    /// <summary>The progress of one image, and at its end what came of it.</summary>
    public async IAsyncEnumerable<WarmLine> WarmAsync(
        string asked, ImageName image, IReadOnlyList<Platform> platforms, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Only the latest counts, so a slow reader keeps nothing waiting and nothing piles up.
        var progress = Channel.CreateBounded<ImageProgress>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        var warming = Task.Run(
            async () =>
            {
                try
                {
                    return await WarmAsync(asked, image, platforms, now => progress.Writer.TryWrite(now), cancellationToken);
                }
                finally
                {
                    progress.Writer.Complete();
                }
            },
            CancellationToken.None);
        try
        {
            await foreach (var now in progress.Reader.ReadAllAsync(CancellationToken.None))
            {
                var here = now.AlreadyHere.Bytes + now.Fetched.Bytes + now.Received;
                yield return new WarmLine(new WarmProgress(asked, here, now.All.Bytes), Image: null);
            }

            yield return new WarmLine(Progress: null, await warming);
        }
        finally
        {
            // Whoever asked may have gone in the middle; nothing of it goes on behind an answer's end.
            await ((Task)warming).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<WarmedImage> WarmAsync(
        string asked, ImageName image, IReadOnlyList<Platform> platforms, Action<ImageProgress> report, CancellationToken cancellationToken)
    {
        var nothing = new WarmedImage(asked, null, null, Stale: false, ContentCount.None, ContentCount.None, [], null);
        if (!new ImagePlaces(doors).TryFind(image, out var repository, out var why))
        {
            return nothing with { Error = why };
        }

        if (repository.Upstream.IsGuarded)
        {
            // Whatever the answer is: without it nothing of the image could be shown to a client while upstream is down.
            await cache.PublicRepositories.IsPublicAsync(repository, new RepositoryContent.OfManifest(image.Reference), cancellationToken);
        }

        var named = nothing with { Name = FullName(repository, image.Reference) };
        switch (await FindAsync(repository, image.Reference, cancellationToken))
        {
            case RemoteAnswer<Tagged<Manifest>>.Found(var (manifest, stale)):
                var fetched = await cache.WholeImage.FetchAsync(repository, manifest.Digest, platforms, report, cancellationToken);
                return named with
                {
                    Digest = manifest.Digest.ToString(),
                    Stale = stale,
                    Fetched = fetched.Fetched,
                    AlreadyHere = fetched.AlreadyHere,
                    Failed =
                    [
                        .. fetched.Lacking.Concat(FindOtherPlatforms(repository, manifest, platforms))
                            .Select(lacking => new FailedContent(lacking.Digest.ToString(), lacking.Why)),
                    ],
                };

            case RemoteAnswer<Tagged<Manifest>>.Failed(var failure):
                return named with { Error = failure.WhyInFull };

            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    /// <summary>The platforms that were asked for where the name is no index's, but one image's for another platform.</summary>
    private IEnumerable<LackingContent> FindOtherPlatforms(
        UpstreamRepository repository, Manifest manifest, IReadOnlyList<Platform> platforms)
    {
        var only = platforms.Count > 0 && manifest.View() is { IsIndex: false, Config: { } config }
            ? cache.Images.FindPlatform(repository.Key, config)
            : null;
        return only is null
            ? []
            : platforms.Where(platform => !IsFor(only, platform)).Select(platform => new LackingContent(
                manifest.Digest, $"it is for {only} alone, not for {platform}"));
    }

    /// <summary>Not every config says its variant: one that does not may be for any.</summary>
    private static bool IsFor(Platform image, Platform wanted) =>
        (image.Variant is null ? wanted with { Variant = null } : wanted).Includes(image);

    /// <summary>As a client gets it.</summary>
    private async Task<RemoteAnswer<Tagged<Manifest>>> FindAsync(
        UpstreamRepository repository, Reference reference, CancellationToken cancellationToken) => reference.Tag is { } tag
            ? await cache.Tags.GetAsync(repository, tag, cancellationToken)
            : await cache.Tags.GetByDigestAsync(repository, reference.Digest.GetValueOrDefault(), cancellationToken) switch
            {
                RemoteAnswer<Manifest>.Found(var manifest) => new Tagged<Manifest>(manifest, Stale: false),
                RemoteAnswer<Manifest>.Failed(var failure) => failure,
                _ => throw new System.Diagnostics.UnreachableException(),
            };

    private static string FullName(UpstreamRepository repository, Reference reference) =>
        reference.Tag is { } tag ? $"{repository.Key}:{tag}" : $"{repository.Key}@{reference}";
}
