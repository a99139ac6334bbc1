using System.Diagnostics;
using Mirror.Caching;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Access;

/// <summary>
/// Which of an upstream's content may be read by whom, beside what the rules give: decided once for each request, before anything of the repository is
/// looked at. So what may not be read looks the same whether it is here, upstream, or nowhere.
/// </summary>
/// <param name="upstreams">All registries that may be pulled through.</param>
/// <param name="publicRepositories">Knows what everybody may read.</param>
public sealed class ReadAccess(IEnumerable<Upstream> upstreams, PublicRepositories publicRepositories)
{
    /// <summary>What only named readers may read, and what is not there, to everybody else.</summary>
    public static readonly RemoteFailure.Missing Hidden = new(
        "there is nothing here that everybody may read; what only the mirror's credentials can read is shown to whom a rule names, or with the option share: all");

    private readonly Dictionary<string, Upstream> _upstreams = upstreams.ToDictionary(upstream => upstream.Name);

    /// <summary>Why nobody gets anything of a repository through this mirror, if that is so.</summary>
    public static RemoteFailure.Missing? FindNotAllowed(UpstreamRepository repository) => repository.Upstream.Allows(repository.Name)
        ? null
        : new($"what may be pulled from {repository.Upstream.Name} through this mirror does not include {repository.Name}");

    /// <summary>
    /// Why a client that may pull gets nothing of a repository all the same; null where it may read it. Where only upstream could tell, an outage is
    /// why.
    /// </summary>
    /// <param name="visitor">The client.</param>
    /// <param name="target">The repository, as rules and the client call it.</param>
    /// <param name="repository">The same, upstream.</param>
    /// <param name="wanted">What of it.</param>
    /// <param name="cancellationToken">The client's.</param>
    public async ValueTask<RemoteFailure?> FindRefusalAsync(
        Visitor visitor, Target target, UpstreamRepository repository, RepositoryContent wanted, CancellationToken cancellationToken) =>
        FindNotAllowed(repository) is { } notAllowed ? notAllowed
            : !repository.Upstream.IsGuarded || visitor.IsNamedReader(target) ? null
            : await publicRepositories.IsPublicAsync(repository, wanted, cancellationToken) switch
            {
                RemoteAnswer<bool>.Found(true) => null,
                RemoteAnswer<bool>.Found(false) => Hidden,
                RemoteAnswer<bool>.Failed(var failure) => failure,
                _ => throw new UnreachableException(),
            };

    /// <summary>Whether a client may know of a repository that is here. Upstream is not asked.</summary>
    public bool MaySee(Visitor visitor, CatalogEntry entry) => visitor.MaySee($"{entry.Key}")
        && (entry.Key.IsLocal
            || (_upstreams.TryGetValue(entry.Key.Registry, out var upstream)
                && upstream.Allows(entry.Key.Name)
                && (!upstream.IsGuarded || entry.IsPublic || visitor.MaySeeHidden($"{entry.Key}"))));
}
