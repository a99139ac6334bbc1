using System.Diagnostics;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// What refers to manifests of upstream repositories, as fresh as tags. Registries without the referrers API are asked for the tag that stands
/// for it (distribution spec, "Referrers Tag Schema"). An empty list is always an upstream's word, never an outage; but
/// of a registry that is offline, the referrers are those that stand under that tag here.
/// </summary>
public sealed class ReferrersCache(TagCache tags, TimeProvider time, CancellationToken stopping)
{
    /// <summary>Of one manifest's referrers and of all that are remembered, roughly in bytes of JSON.</summary>
    private const int MaxSize = Manifest.MaxSize;
    private const int MemoryLimit = 32 * 1024 * 1024;

    private readonly SharedRequests<(RepositoryKey, Digest), RemoteAnswer<Listing>> _requests = new();
    private readonly SaidLately<(RepositoryKey, Digest), Listing> _said = new(MemoryLimit, listing => 100 + (listing.Items?.Sum(SizeOf) ?? 0));

    /// <summary>All that refer to a manifest, in upstream's order.</summary>
    public async Task<RemoteAnswer<Tagged<IReadOnlyList<Descriptor>>>> GetAsync(
        UpstreamRepository repository, Digest subject, CancellationToken cancellationToken)
    {
        var key = (repository.Key, subject);
        var state = _said.TryFind(key, out var listing, out var askedAt) ? StateOf(repository, listing, askedAt) : TagState.Expired;
        var isStale = false;
        if (state != TagState.Fresh)
        {
            var asking = _requests.Ask(key, () => AskAsync(repository, subject));
            var answer = state == TagState.Stale
                ? await tags.AnswerInTimeAsync(asking, repository, cancellationToken)
                : await asking.WaitAsync(cancellationToken);
            switch (answer)
            {
                case RemoteAnswer<Listing>.Found(var found):
                    listing = found;
                    break;

                case RemoteAnswer<Listing>.Failed(var failure) when state == TagState.Expired:
                    return failure;

                default:
                    isStale = true;
                    break;
            }
        }

        return listing.Items is { } items
            ? new Tagged<IReadOnlyList<Descriptor>>(items, isStale)
            : await GetByTagAsync(repository, subject, cancellationToken);
    }

    /// <summary>Upstream has said to somebody else what refers to a manifest.</summary>
    /// <param name="repository">The manifest's.</param>
    /// <param name="subject">The manifest.</param>
    /// <param name="all">All that refer to it.</param>
    /// <param name="askedAt">When upstream was asked.</param>
    public void Note(UpstreamRepository repository, Digest subject, IReadOnlyList<Descriptor> all, DateTimeOffset askedAt)
    {
        if (all.Sum(SizeOf) <= MaxSize)
        {
            _said.Add((repository.Key, subject), new Listing(all), askedAt);
        }
    }

    /// <summary>Forgets what is in memory of a repository.</summary>
    public void Forget(RepositoryKey repository) => _said.RemoveWhere(key => key.Item1 == repository);

    /// <summary>Waits for the questions that are still open; nobody may ask any more.</summary>
    public Task DrainAsync() => _requests.DrainAsync();

    private TagState StateOf(UpstreamRepository repository, Listing listing, DateTimeOffset askedAt)
    {
        var now = time.GetUtcNow();
        var state = repository.Upstream.Freshness.StateOf(askedAt, now);
        return state == TagState.Fresh && listing.Items is null && now - askedAt >= Freshness.Absence ? TagState.Stale : state;
    }

    private async Task<RemoteAnswer<Tagged<IReadOnlyList<Descriptor>>>> GetByTagAsync(
        UpstreamRepository repository, Digest subject, CancellationToken cancellationToken)
    {
        var tag = Tag.Parse($"{subject.Algorithm.ToString().ToLowerInvariant()}-{subject.Hex[..64]}");
        return await tags.GetAsync(repository, tag, cancellationToken) switch
        {
            RemoteAnswer<Tagged<Manifest>>.Found(var (manifest, stale)) => new Tagged<IReadOnlyList<Descriptor>>(manifest.View().Children, stale),
            RemoteAnswer<Tagged<Manifest>>.Failed(RemoteFailure.Missing) => new Tagged<IReadOnlyList<Descriptor>>([], Stale: false),
            RemoteAnswer<Tagged<Manifest>>.Failed(var failure) => failure,
            _ => throw new UnreachableException(),
        };
    }

    /// <summary>All pages of upstream's listing: a list that lacks some would pass for the whole.</summary>
    private async Task<RemoteAnswer<Listing>> AskAsync(UpstreamRepository repository, Digest subject)
    {
        var askedAt = time.GetUtcNow();
        var items = new List<Descriptor>();
        var size = 0L;
        for (PageLink? page = null; ;)
        {
            switch (await repository.Upstream.ListReferrersAsync(repository.Name, subject, page, stopping))
            {
                case RemoteAnswer<RemotePage<Descriptor>>.Found(var found):
                    items.AddRange(found.Items);
                    size += found.Items.Sum(SizeOf);
                    if (found.More && (found.Next is null || found.Items.Count == 0 || size > MaxSize))
                    {
                        return new RemoteFailure.Unavailable(
                            UnavailableReason.BadAnswer, $"the referrers of {subject} at {repository.Upstream.Name} can not be read to their end");
                    }

                    page = found.Next;
                    if (!found.More)
                    {
                        return Remember(new Listing(items));
                    }

                    break;

                case RemoteAnswer<RemotePage<Descriptor>>.Failed(var failure) when page is null && IsWithoutApi(failure):
                    return Remember(new Listing(Items: null));

                case RemoteAnswer<RemotePage<Descriptor>>.Failed(var failure):
                    return failure is RemoteFailure.Missing ? new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, failure.Why) : failure;

                default:
                    throw new UnreachableException();
            }
        }

        Listing Remember(Listing listing)
        {
            _said.Add((repository.Key, subject), listing, askedAt);
            return listing;
        }
    }

    /// <summary>A web server's 404 says as much as a registry's here, because nothing is concluded from it: the tag is asked for next.</summary>
    private static bool IsWithoutApi(RemoteFailure failure) => failure is RemoteFailure.Missing
        or RemoteFailure.Unavailable { Reason: UnavailableReason.Unsupported or UnavailableReason.NotFoundPage };

    private static int SizeOf(Descriptor descriptor) =>
        200 + descriptor.MediaType.Length + (descriptor.ArtifactType?.Length ?? 0) + descriptor.Annotations.Sum(a => a.Key.Length + a.Value.Length + 6);

    /// <param name="Items">Null where upstream has no referrers API, or none for this repository.</param>
    private readonly record struct Listing(IReadOnlyList<Descriptor>? Items);
}
