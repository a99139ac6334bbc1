using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>A repository to be read from, wherever its content comes from. That the client may is settled.</summary>
internal interface IRepository
{
    Task<RemoteAnswer<BlobSize>> HeadBlobAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>A blob, for a client that will be sent it.</summary>
    Task<RemoteAnswer<BlobSource>> OpenBlobAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>A block of a blob was not what it should be.</summary>
    /// <returns>Whether the blob can be had all the same.</returns>
    Task<bool> TryReplaceAsync(BlobDamagedException damage);

    /// <summary>A manifest, for a client that will be sent it.</summary>
    Task<RemoteAnswer<Tagged<Manifest>>> GetManifestAsync(Reference reference, CancellationToken cancellationToken);

    Task<RemoteAnswer<Tagged<Descriptor>>> HeadManifestAsync(Reference reference, CancellationToken cancellationToken);

    Task<RemoteAnswer<Tagged<TagPage>>> ListTagsAsync(int n, string? last, CancellationToken cancellationToken);

    /// <summary>Some of what refers to a manifest.</summary>
    /// <param name="subject">The manifest, which need not be there.</param>
    /// <param name="artifactType">Only these; null for all.</param>
    /// <param name="n">How many.</param>
    /// <param name="last">Those behind the one with this digest.</param>
    /// <param name="cancellationToken">The client's.</param>
    Task<RemoteAnswer<Tagged<ReferrersPage>>> ListReferrersAsync(
        Digest subject, string? artifactType, int n, string? last, CancellationToken cancellationToken);
}

/// <param name="Items">Some of what refers to a manifest.</param>
/// <param name="More">Whether there is more behind them.</param>
internal sealed record ReferrersPage(IReadOnlyList<Descriptor> Items, bool More);
