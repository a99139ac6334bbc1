using System.IO.Pipelines;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Local;

/// <summary>
/// An upload in progress (distribution spec, "Pushing blobs"). What was received stays whatever becomes of the connection, and the client goes on
/// from there. One request at a time: a later one ends an earlier one, which mostly is a connection that has died without a word.
/// </summary>
public sealed class Upload
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly StagedBlob _staged;
    private CancellationTokenSource? _current;

    internal Upload(RepositoryName repository, UploadId id, StagedBlob staged)
    {
        Repository = repository;
        Id = id;
        _staged = staged;
    }

    public RepositoryName Repository { get; }

    public UploadId Id { get; }

    /// <summary>How much has been received, in bytes.</summary>
    public long Length => _staged.Length;
}
