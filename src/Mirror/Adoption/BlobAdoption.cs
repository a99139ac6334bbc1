using System.Collections.Concurrent;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Adoption;

/// <summary>Takes over blobs, each once, however many repositories have it.</summary>
/// <param name="source">Where they are.</param>
/// <param name="own">Gets them.</param>
/// <param name="total">What there is, to be told with the progress.</param>
/// <param name="tell">Is told how it stands, often, and what is left out.</param>
internal sealed class BlobAdoption(DistributionFolder source, LocalRepositories own, (long Blobs, long Bytes) total, Action<AdoptionNews> tell)
{
    private readonly ConcurrentDictionary<Digest, Lazy<Task<bool>>> _blobs = [];
    private readonly Lock _gate = new();
    private AdoptedBlobs _done = new(0, 0, 0, 0, 0, 0);
    private long _finished;
    private long _bytes;

    /// <summary>What has come of them so far.</summary>
    public AdoptedBlobs Done
    {
        get
        {
            lock (_gate)
            {
                return _done;
            }
        }
    }

    /// <summary>Those that are not here because of what the other registry's disk has made of them.</summary>
    public ConcurrentDictionary<Digest, string> Bad { get; } = [];

    /// <summary>Gives a repository a blob, unless it can not be had.</summary>
    /// <param name="repository">Gets it.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="keptAs">The digest that it is kept under there.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">Our disk is full.</exception>
    public async Task AdoptAsync(RepositoryName repository, Digest digest, Digest keptAs, CancellationToken cancellationToken)
    {
        var blob = _blobs.GetOrAdd(
            digest, _ => new Lazy<Task<bool>>(() => Task.Run(() => TakeAsync(repository, digest, keptAs, cancellationToken), cancellationToken)));
        if (await blob.Value)
        {
            await own.LinkBlobAsync(repository, digest);
        }
    }

    /// <returns>Whether it is here now.</returns>
    private async Task<bool> TakeAsync(RepositoryName repository, Digest digest, Digest keptAs, CancellationToken cancellationToken)
    {
        try
        {
            // What was deleted there may have left its link. Where an image needs it, that says so.
            if (source.FindFile(keptAs) is not { } file)
            {
                return false;
            }

            if (own.IsHere(digest))
            {
                Pass(file.Length);
                Finish(done => done with { AlreadyHere = done.AlreadyHere + 1, AlreadyHereBytes = done.AlreadyHereBytes + file.Length });
                return true;
            }

            if (await own.TryAdoptBlobAsync(repository, digest, file.FullName, read => Pass(read), cancellationToken) is not { } adopted)
            {
                LeaveOut(digest, "it is damaged: its bytes do not have this digest");
                return false;
            }

            var size = adopted.Record.Size;
            Finish(done => adopted.IsLink
                ? done with { Linked = done.Linked + 1, LinkedBytes = done.LinkedBytes + size }
                : done with { Copied = done.Copied + 1, CopiedBytes = done.CopiedBytes + size });
            return true;
        }
        catch (Exception e) when (e is UnauthorizedAccessException || (e is IOException failure && !Durability.IsDiskFull(failure)))
        {
            LeaveOut(digest, $"it can not be taken over: {e.Message}");
            return false;
        }
    }

    private void LeaveOut(Digest digest, string why)
    {
        Bad[digest] = why;
        tell(new AdoptionNews(LeftOut: new LeftOut($"{digest}", why)));
        Finish(done => done);
    }

    private void Pass(long bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        TellProgress();
    }

    private void Finish(Func<AdoptedBlobs, AdoptedBlobs> count)
    {
        lock (_gate)
        {
            _done = count(_done);
        }

        Interlocked.Increment(ref _finished);
        TellProgress();
    }

    private void TellProgress() => tell(new AdoptionNews(
        Progress: new AdoptionProgress(Interlocked.Read(ref _finished), total.Blobs, Interlocked.Read(ref _bytes), total.Bytes)));
}
