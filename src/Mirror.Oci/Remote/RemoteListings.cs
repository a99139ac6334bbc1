using System.Collections.Concurrent;
using System.Net;

namespace Mirror.Oci.Remote;

/// <summary>
/// What a registry says that there is: page by page, or whole. A whole list is complete or a failure: whoever compares it with another must
/// not take what was left out for what has been deleted.
/// </summary>
public sealed class RemoteListings
{
    /// <summary>Pages are read whole; a page larger than this is refused.</summary>
    private const int MaxPageSize = 4 * 1024 * 1024;

    /// <summary>The most that registries accept.</summary>
    private const int PageLength = 1000;

    /// <summary>A registry that never comes to an end is not listed for ever.</summary>
    private const int MaxPages = 10_000;

    /// <summary>A registry may learn to keep referrers while this process lives.</summary>
    private static readonly TimeSpan WithoutReferrersKept = TimeSpan.FromDays(1);

    private readonly RegistryConnection _connection;
    private readonly RemoteRegistry _registry;

    /// <summary>
    /// Repositories whose registry has said that it has no referrers API, and until when that is believed. Of each by itself: behind one
    /// address there may be several registries. There are no more of them than repositories that are replicated.
    /// </summary>
    private readonly ConcurrentDictionary<RepositoryName, DateTimeOffset> _withoutReferrers = [];

    internal RemoteListings(RegistryConnection connection, RemoteRegistry registry) => (_connection, _registry) = (connection, registry);

    /// <summary>A page of a repository's tags (distribution spec, "Listing tags").</summary>
    /// <param name="repository">Whose tags.</param>
    /// <param name="page">Where an earlier page said that this one is, or null for the first.</param>
    /// <param name="n">The wished number of tags in a first page; the registry may give fewer.</param>
    /// <param name="last">The tag behind which a first page starts.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="patience">Whether what fails is tried again.</param>
    public Task<RemoteAnswer<RemotePage<Tag>>> ListTagsAsync(
        RepositoryName repository,
        PageLink? page,
        int? n,
        string? last,
        CancellationToken cancellationToken,
        RemotePatience patience = RemotePatience.Retry)
    {
        var request = _connection.Pull(HttpMethod.Get, repository, "tags/list" + QueryOf(n, last)) with { Patience = patience };
        return GetPageAsync(request, page, Listings.ReadTags, cancellationToken);
    }

    /// <summary>All tags of a repository.</summary>
    public async Task<RemoteAnswer<IReadOnlyList<Tag>>> ListAllTagsAsync(RepositoryName repository, CancellationToken cancellationToken) =>
        await ListAllAsync((page, last) => ListTagsAsync(repository, page, PageLength, last, cancellationToken));

    /// <summary>
    /// A page of the names of a registry's repositories (Docker's v2 API, "Listing Repositories"). Not every registry has such a list, and
    /// not everybody may see it; where there is none, the refusal is Unsupported. Names that are none are left out: they can not be pulled.
    /// </summary>
    public async Task<RemoteAnswer<RemotePage<RepositoryName>>> ListRepositoriesAsync(
        PageLink? page, int? n, string? last, CancellationToken cancellationToken)
    {
        var request = new RemoteRequest(HttpMethod.Get, _connection.UrlOf("_catalog" + QueryOf(n, last)), "registry:catalog:*");
        return await GetPageAsync(request, page, Listings.ReadRepositories, cancellationToken) switch
        {
            RemoteAnswer<RemotePage<RepositoryName>>.Failed(
                RemoteFailure.Missing or RemoteFailure.Unavailable { Reason: UnavailableReason.Unsupported or UnavailableReason.NotFoundPage }) none =>
                new RemoteFailure.Refused(RefusalReason.Unsupported, $"{_connection.Name} does not list its repositories: {none.Failure.Why}"),
            var answer => answer,
        };
    }

    /// <summary>The names of all repositories of a registry.</summary>
    public async Task<RemoteAnswer<IReadOnlyList<RepositoryName>>> ListAllRepositoriesAsync(CancellationToken cancellationToken) =>
        await ListAllAsync((page, last) => ListRepositoriesAsync(page, PageLength, last, cancellationToken));

    /// <summary>A page of what refers to a manifest (distribution spec, "Listing referrers").</summary>
    public Task<RemoteAnswer<RemotePage<Descriptor>>> ListReferrersAsync(
        RepositoryName repository, Digest subject, PageLink? page, CancellationToken cancellationToken) =>
        GetPageAsync(_connection.Pull(HttpMethod.Get, repository, $"referrers/{subject}"), page, Listings.ReadReferrers, cancellationToken);

    /// <summary>
    /// All that refers to a manifest; where the registry keeps no list of it, what a tag says that stands for one
    /// (<see cref="ReferrersTag"/>).
    /// </summary>
    /// <param name="repository">Where the manifest is.</param>
    /// <param name="subject">The manifest.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="tags">All tags of the repository where they are known: then nobody is asked for a tag that is not there.</param>
    public async Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListAllReferrersAsync(
        RepositoryName repository, Digest subject, CancellationToken cancellationToken, IReadOnlySet<Tag>? tags = null)
    {
        if (_withoutReferrers.TryGetValue(repository, out var until) && _connection.Time.GetUtcNow() < until)
        {
            return await ListByTagAsync(repository, subject, tags, cancellationToken);
        }

        var all = new Dictionary<Digest, Descriptor>();
        PageLink? link = null;
        for (var pages = 0; pages < MaxPages; pages++)
        {
            switch (await ListReferrersAsync(repository, subject, link, cancellationToken))
            {
                case RemoteAnswer<RemotePage<Descriptor>>.Found(var page):
                    var before = all.Count;
                    foreach (var referrer in page.Items)
                    {
                        all.TryAdd(referrer.Digest, referrer);
                    }

                    if (!page.More)
                    {
                        return all.Values.ToList();
                    }

                    if (page.Next is null || (all.Count == before && page.Next == link))
                    {
                        return _connection.BadAnswer("names a next page of referrers that leads nowhere");
                    }

                    link = page.Next;
                    break;

                // A page that is not the registry's own may be there for a moment: only what is said of the tag is proof of none.
                case RemoteAnswer<RemotePage<Descriptor>>.Failed(RemoteFailure.Unavailable { Reason: UnavailableReason.NotFoundPage })
                    when link is null:
                    return await ListByTagAsync(repository, subject, tags: null, cancellationToken);

                case RemoteAnswer<RemotePage<Descriptor>>.Failed(var failure) when link is null
                    && failure is (RemoteFailure.Missing or RemoteFailure.Unavailable { Reason: UnavailableReason.Unsupported }):
                    if (IsWithoutReferrers(failure))
                    {
                        _withoutReferrers[repository] = _connection.Time.GetUtcNow() + WithoutReferrersKept;
                    }

                    return await ListByTagAsync(repository, subject, tags, cancellationToken);

                case var other:
                    return ((RemoteAnswer<RemotePage<Descriptor>>.Failed)other).Failure;
            }
        }

        return _connection.BadAnswer($"has a list of more than {MaxPages} pages");
    }

    /// <summary>Whether an answer is about the API and not about this manifest or this repository: those have codes of their own.</summary>
    private static bool IsWithoutReferrers(RemoteFailure failure) => failure is
    {
        Status: HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented,
        Code: null or "UNSUPPORTED",
    };

    private async Task<RemoteAnswer<IReadOnlyList<Descriptor>>> ListByTagAsync(
        RepositoryName repository, Digest subject, IReadOnlySet<Tag>? tags, CancellationToken cancellationToken)
    {
        var tag = ReferrersTag.TagOf(subject);
        if (tags?.Contains(tag) == false)
        {
            return new List<Descriptor>();
        }

        return await _registry.GetManifestAsync(repository, tag, cancellationToken) switch
        {
            RemoteAnswer<Manifest>.Found(var index) => index.View().Children.ToList(),
            RemoteAnswer<Manifest>.Failed(RemoteFailure.Missing) => new List<Descriptor>(),
            var other => ((RemoteAnswer<Manifest>.Failed)other).Failure,
        };
    }

    /// <summary>
    /// Page after page to the last. A registry that fills a page and names no next one may have forgotten to: it is asked for what comes
    /// behind that.
    /// </summary>
    private async Task<RemoteAnswer<IReadOnlyList<T>>> ListAllAsync<T>(Func<PageLink?, string?, Task<RemoteAnswer<RemotePage<T>>>> get)
        where T : notnull
    {
        var (all, seen) = (new List<T>(), new HashSet<T>());
        var (link, last) = ((PageLink?)null, (string?)null);
        for (var pages = 0; pages < MaxPages; pages++)
        {
            var answer = await get(link, last);
            if (answer is not RemoteAnswer<RemotePage<T>>.Found(var page))
            {
                return ((RemoteAnswer<RemotePage<T>>.Failed)answer).Failure;
            }

            var before = all.Count;
            all.AddRange(page.Items.Where(seen.Add));
            if (page is { More: true, Next: null })
            {
                return _connection.BadAnswer("names a next page of a list that is not at the registry itself");
            }

            if (page.More && all.Count == before && page.Next == link)
            {
                return _connection.BadAnswer("names the same page of a list again and again");
            }

            if (!page.More && (page.Items.Count != PageLength || all.Count == before))
            {
                return all;
            }

            (link, last) = (page.Next, page.More ? null : page.Items[^1].ToString());
        }

        return _connection.BadAnswer($"has a list of more than {MaxPages} pages");
    }

    private async Task<RemoteAnswer<RemotePage<T>>> GetPageAsync<T>(
        RemoteRequest request, PageLink? page, Func<ReadOnlyMemory<byte>, IReadOnlyList<T>?> read, CancellationToken cancellationToken)
    {
        var target = page?.Target ?? request.Target;
        var answer = await _connection.Sender.SendAsync(request with { Target = target }, cancellationToken);
        if (answer is not RemoteAnswer<HttpResponseMessage>.Found(var response))
        {
            return _connection.FailureOf(answer);
        }

        var more = Listings.FindNext(response, target, _connection.Options, out var next);
        try
        {
            await using var body = await RemoteBody.OpenAsync(response, _connection.Options, _connection.Time, cancellationToken);
            return read(await body.ReadWholeAsync(MaxPageSize)) is { } items
                ? new RemotePage<T>(items, more, next)
                : _connection.BadAnswer("answered with a listing that can not be read");
        }
        catch (RemoteReadException e)
        {
            return e.Failure;
        }
    }

    private static string QueryOf(int? n, string? last)
    {
        var query = string.Join('&', new[]
        {
            n is null ? null : $"n={n}",
            last is null ? null : $"last={Uri.EscapeDataString(last)}",
        }.Where(part => part is not null));
        return query.Length == 0 ? "" : $"?{query}";
    }
}
