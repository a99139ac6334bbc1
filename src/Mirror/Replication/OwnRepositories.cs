using Mirror.Caching;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Sync.Repositories;

namespace Mirror.Replication;

/// <summary>The repositories that are this mirror's own, as a side of a job.</summary>
/// <param name="store">Where they are.</param>
/// <param name="own">Takes what is copied to them.</param>
/// <param name="uploads">Those of clients are among them too.</param>
/// <param name="blobs">Told of content that the disk has changed.</param>
/// <param name="isOwnName">Whether a repository of this name is our own.</param>
/// <param name="time">The clock.</param>
public sealed class OwnRepositories(
    Store store, LocalRepositories own, Uploads uploads, BlobCache blobs, Func<RepositoryName, bool> isOwnName, TimeProvider time)
    : ISourceRegistry, ITargetRegistry
{
    internal const int PageSize = 1000;

    public string Name => "local";

    /// <summary>Each has a file open and a block in memory.</summary>
    public int Transfers => 32;

    public bool IsHere => true;

    public RateLimit? Quota => null;

    public Task<RemoteAnswer<IReadOnlyList<RepositoryName>>> ListRepositoriesAsync(CancellationToken cancellationToken) =>
        OurStore.Ask<IReadOnlyList<RepositoryName>>(() => ReadPages<RepositoryName>(
            last => store.Metadata.Local.ListRepositories(PageSize, last?.ToString() ?? ""), cancellationToken));

    public string? FindFault(RepositoryName repository) =>
        isOwnName(repository) ? null : $"{repository} is not one of this registry's own names: list it under local";

    public ISourceRepository GetSource(RepositoryName repository) => Get(repository);

    public ITargetRepository GetTarget(RepositoryName repository) => Get(repository);

    /// <summary>All of a list that is read in pages, each behind the last of the one before.</summary>
    internal static List<T> ReadPages<T>(Func<T?, IReadOnlyList<T>> read, CancellationToken cancellationToken)
        where T : struct
    {
        var all = new List<T>();
        while (read(all.Count > 0 ? all[^1] : null) is { Count: > 0 } page)
        {
            cancellationToken.ThrowIfCancellationRequested();
            all.AddRange(page);
        }

        return all;
    }

    private OwnRepository Get(RepositoryName repository) =>
        new(repository, FindFault(repository), store, own, uploads, blobs, time);
}
