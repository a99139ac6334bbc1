using Mirror.Oci;
using Mirror.Sync.Repositories;

namespace Mirror.Sync.Replication;

/// <summary>What a job copies between.</summary>
/// <param name="Source">From where.</param>
/// <param name="Target">To where.</param>
/// <param name="ImmutableTags">Tags that never move at the source.</param>
public sealed record JobEnds(ISourceRegistry Source, ITargetRegistry Target, IReadOnlyList<TagPattern> ImmutableTags);
