using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Mirror.Caching;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Access;

/// <summary>
/// Who may read what: decided once for each request, before anything of the repository is looked at. So what may not be read looks the same
/// whether it is here, upstream, or nowhere.
/// </summary>
/// <param name="upstreams">All registries that may be pulled through.</param>
/// <param name="publicRepositories">Knows what everybody may read.</param>
/// <param name="namesReader">Whom rules name.</param>
public sealed class ReadAccess(IEnumerable<Upstream> upstreams, PublicRepositories publicRepositories, NamesReader namesReader)
{
    private static readonly RemoteFailure.Missing Hidden = new(
        "there is nothing here that everybody may read; what only the mirror's credentials can read is shown with its option share: all");

    private readonly Dictionary<string, Upstream> _upstreams = upstreams.ToDictionary(upstream => upstream.Name);

    /// <summary>Nobody is named: there are no rules yet.</summary>
    public static NamesReader NobodyIsNamed { get; } = (_, _) => false;

    /// <summary>Why nobody gets anything of a repository through this mirror, if that is so.</summary>
    public static RemoteFailure.Missing? FindNotAllowed(UpstreamRepository repository) => repository.Upstream.Allows(repository.Name)
        ? null
        : new($"what may be pulled from {repository.Upstream.Name} through this mirror does not include {repository.Name}");

    /// <summary>Why a client gets nothing of a repository; null where it may read it. Where only upstream could tell, an outage is why.</summary>
    public async ValueTask<RemoteFailure?> FindRefusalAsync(HttpContext http, UpstreamRepository repository, RepositoryContent wanted) =>
        FindNotAllowed(repository) is { } notAllowed ? notAllowed
            : !repository.Upstream.IsGuarded || namesReader(http, repository.Key) ? null
            : await publicRepositories.IsPublicAsync(repository, wanted, http.RequestAborted) switch
            {
                RemoteAnswer<bool>.Found(true) => null,
                RemoteAnswer<bool>.Found(false) => Hidden,
                RemoteAnswer<bool>.Failed(var failure) => failure,
                _ => throw new UnreachableException(),
            };

    /// <summary>Whether a client may know of a repository that is here. Upstream is not asked.</summary>
    public bool MayList(HttpContext http, CatalogEntry entry) =>
        entry.Key.IsLocal
        || (_upstreams.TryGetValue(entry.Key.Registry, out var upstream)
            && upstream.Allows(entry.Key.Name)
            && (!upstream.IsGuarded || entry.IsPublic || namesReader(http, entry.Key)));
}
