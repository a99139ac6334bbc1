using System.Diagnostics;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Sync.Jobs;
using Mirror.Sync.Replication;
using Mirror.Sync.Repositories;

namespace Mirror.Replication;

/// <summary>Where jobs copy from and to. Each registry is one object for all of them: what it is to be spared is known there.</summary>
/// <param name="registries">The remote ones, with the tags that never move there.</param>
/// <param name="own">This mirror's own repositories.</param>
/// <param name="cache">What it has of others.</param>
/// <param name="leases">Of what is copied here.</param>
/// <param name="time">The clock.</param>
internal sealed class JobSides(
    IEnumerable<(RemoteRegistry Registry, IReadOnlyList<TagPattern> ImmutableTags)> registries,
    OwnRepositories own,
    PullThrough cache,
    Leases leases,
    TimeProvider time)
{
    private readonly Dictionary<string, (RemoteRepositories Repositories, IReadOnlyList<TagPattern> ImmutableTags)> _remote = registries.ToDictionary(
        side => side.Registry.Name, side => (new RemoteRepositories(side.Registry, time), side.ImmutableTags), StringComparer.Ordinal);

    public JobEnds Find(SyncJob job) => new(
        FindSource(job.From), FindTarget(job), job.From is Endpoint.Registry registry ? _remote[registry.Name].ImmutableTags : []);

    private ISourceRegistry FindSource(Endpoint from) => from switch
    {
        Endpoint.Registry registry => _remote[registry.Name].Repositories,
        Endpoint.Local => own,
        _ => throw new UnreachableException(),
    };

    private ITargetRegistry FindTarget(SyncJob job) => (job.To, job.From) switch
    {
        (Endpoint.Registry registry, _) => _remote[registry.Name].Repositories,
        (Endpoint.Local, _) => own,
        (Endpoint.Cache, Endpoint.Registry source) => new CachedRepositories(
            cache.Upstreams.First(upstream => upstream.Name == source.Name), cache, leases, time),
        _ => throw new UnreachableException(),
    };
}
