using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Sync.Repositories;

/// <summary>Where repositories are.</summary>
public interface IRegistry
{
    /// <summary>As the configuration calls it.</summary>
    string Name { get; }

    /// <summary>Where it is. Another place under the same name is another registry.</summary>
    string Address => Name;

    /// <summary>How many blobs may be on their way from or to it at once.</summary>
    int Transfers { get; }
}

/// <summary>Where repositories are from which is copied.</summary>
public interface ISourceRegistry : IRegistry
{
    /// <summary>How many manifests may still be fetched; null where that is not limited, or not known.</summary>
    RateLimit? Quota { get; }

    /// <summary>
    /// The full names of all repositories, or a failure: never a part of them. Refused as Unsupported where there is no such list.
    /// </summary>
    Task<RemoteAnswer<IReadOnlyList<RepositoryName>>> ListRepositoriesAsync(CancellationToken cancellationToken);

    /// <summary>A repository by its full name; it need not exist.</summary>
    ISourceRepository GetSource(RepositoryName repository);
}

/// <summary>Where repositories are to which is copied.</summary>
public interface ITargetRegistry : IRegistry
{
    /// <summary>
    /// Whether it is in this process. To ask it costs nothing then, and what it has may go at any time: what is remembered of it is not
    /// believed.
    /// </summary>
    bool IsHere => false;

    /// <summary>Why a repository can not be there, whatever its content; null where it can.</summary>
    string? FindFault(RepositoryName repository) => null;

    /// <summary>A repository by its full name; it need not exist yet.</summary>
    ITargetRepository GetTarget(RepositoryName repository);
}
