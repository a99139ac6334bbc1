using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Replication;
using Mirror.Sync.Repositories;

namespace Mirror.Replication;

/// <summary>Where jobs copy from and to. Each registry is one object for all of them: what it is to be spared is known there.</summary>
/// <param name="registries">The remote ones, by name, with the tags that never move there.</param>
/// <param name="time">The clock.</param>
internal sealed class JobSides(
    IEnumerable<(RemoteRegistry Registry, IReadOnlyList<TagPattern> ImmutableTags)> registries, TimeProvider time)
{
    private readonly Dictionary<string, (RemoteRepositories Repositories, IReadOnlyList<TagPattern> ImmutableTags)> _remote = registries.ToDictionary(
        side => side.Registry.Name, side => (new RemoteRepositories(side.Registry, time), side.ImmutableTags), StringComparer.Ordinal);

    public JobEnds Find(SyncJob job) => new(
        FindSource(job.From), FindTarget(job.To), job.From is Endpoint.Registry registry ? _remote[registry.Name].ImmutableTags : []);

#pragma warning disable CA1859
    private ISourceRegistry FindSource(Endpoint from) => from switch
    {
        Endpoint.Registry registry => _remote[registry.Name].Repositories,
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private ITargetRegistry FindTarget(Endpoint to) => to switch
    {
        Endpoint.Registry registry => _remote[registry.Name].Repositories,
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
