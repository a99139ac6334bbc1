using System.Collections.Concurrent;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Local;

/// <summary>
/// The uploads in progress. All that there is of one is its staged file, whose name says its identity, its repository and its user: so it survives a
/// restart, and can not be gone on with through another repository or by another user.
/// </summary>
public sealed class Uploads(BlobStore blobs, TimeProvider time) : IDisposable
{
    /// <summary>So many may be in progress for one client's address.</summary>
    public const int MaxPerClient = 100;

    /// <summary>The file of an upload that nobody has used for so long is closed, and it counts for nobody any more.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<UploadId, Upload> _known = new();

    /// <returns>Null where the client has too many in progress.</returns>
    /// <exception cref="IOException">The disk refused.</exception>
    /// <param name="repository">Where the blob is pushed to.</param>
    /// <param name="algorithm">The one that its digest will most likely have.</param>
    /// <param name="user">Who begins it; null where nobody has logged in.</param>
    /// <param name="client">The client's address.</param>
    public Upload? Begin(RepositoryName repository, DigestAlgorithm algorithm, string? user, string client)
    {
        LetRest();
        if (_known.Values.Count(upload => upload.Client == client) >= MaxPerClient)
        {
            return null;
        }

        var key = new UploadKey(repository, user, UploadId.New());
        return _known[key.Id] = New(key, algorithm, client, blobs.BeginUpload(key, algorithm), length: 0);
    }

    /// <summary>An upload in progress, which may have been begun before this process.</summary>
    public Upload? Find(UploadKey key, string client)
    {
        if (_known.TryGetValue(key.Id, out var known))
        {
            if (!known.IsOver)
            {
                return known.Key == key ? known : null;
            }

            Forget(known);
        }

        return blobs.FindUpload(key) is { } length
            ? _known.GetOrAdd(key.Id, _ => New(key, DigestAlgorithm.Sha256, client, staged: null, length))
            : null;
    }

    /// <summary>An upload is over. If another object is known for the same one by now, that stays.</summary>
    public void Forget(Upload upload) => _known.TryRemove(KeyValuePair.Create(upload.Key.Id, upload));

    /// <summary>Ends an upload that nobody can go on with, if it has not ended yet, and nothing stays of it.</summary>
    public void Discard(Upload upload)
    {
        Forget(upload);
        upload.Discard();
    }

    /// <summary>Closes the files of those that nobody is using.</summary>
    public void LetRest()
    {
        var unusedSince = time.GetUtcNow() - Rest;
        foreach (var upload in _known.Values.Where(upload => upload.TryRest(unusedSince)))
        {
            Forget(upload);
        }
    }

    public void Dispose()
    {
        foreach (var upload in _known.Values)
        {
            upload.Dispose();
        }
    }

    private Upload New(UploadKey key, DigestAlgorithm algorithm, string client, StagedBlob? staged, long length) =>
        new(key, client, staged, length, () => blobs.TryResumeUpload(key, algorithm), time);
}
