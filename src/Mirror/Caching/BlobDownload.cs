using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// One running fetch of one blob. It belongs to nobody who follows it: they come, go and read at their own pace, and it runs to its end,
/// unless all of them have gone and <see cref="Downloads"/> decides otherwise.
/// <code>
///             ┌─ wrong, the first time ─┐
///             ▼                         │
/// asking ──► growing ───────────────────┴──► verified ──► published
///    │          │
///    ▼          ▼
/// refused   failed: what is there is kept for the next attempt, unless it is wrong or can not be stored;
///           or stopped, once nobody follows any more and too much is missing
/// </code>
/// Followers read the staged file behind the writer. They get its last byte when it is verified; publishing, which waits for the disk, is no
/// concern of theirs. Where it can not be stored, each of them goes on by itself.
/// </summary>
/// <param name="repository">Through which it is fetched.</param>
/// <param name="digest">What is fetched.</param>
/// <param name="announcedSize">Its size as a manifest has it, in bytes: another is refused.</param>
/// <param name="downloads">The running downloads, of which this is one.</param>
/// <param name="store">Where it is staged and published.</param>
/// <param name="metrics">Counts it.</param>
/// <param name="time">The clock.</param>
/// <param name="loggers">Get an event at the end, and one for each break.</param>
/// <param name="stop">Ends it; cancelled too when the mirror is stopping.</param>
internal sealed partial class BlobDownload(
    UpstreamRepository repository,
    Digest digest,
    long? announcedSize,
    Downloads downloads,
    CacheStore store,
    MirrorMetrics metrics,
    TimeProvider time,
    ILoggerFactory loggers,
    CancellationTokenSource stop)
{
    private readonly TaskCompletionSource<RemoteAnswer<BlobSize>> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DownloadProgress _progress = new();
    private readonly Transfer _transfer = repository.Upstream.StartTransfer(TransferPriority.Completion);
    private readonly ILogger<BlobDownload> _logger = loggers.CreateLogger<BlobDownload>();
    private readonly Lock _gate = new();
    private StagedBlob? _staged;
    private long? _size;            // once upstream or a manifest has said it
    private StagedBlob? _former;    // of the first time, if this is the second: followers may still be reading it
    private BlobStaging? _staging;
    private bool _contradicted;     // whether upstream has sent once more what it sent before, and differently
    private int _users = 1;         // the download itself, until its end
    private int _clients;           // of the users
    private bool _isFetched;        // nothing more is wanted of upstream
    private bool _isStopped;

    public UpstreamRepository Repository => repository;

    public Digest Digest => digest;

    /// <summary>Whether upstream gives the blob, and its size.</summary>
    public Task<RemoteAnswer<BlobSize>> Opened => _opened.Task;

    public long Written => _progress.Written;

    public DownloadFailedException? Failure => _progress.Failure;

    /// <summary>How much is still to be received, in bytes; null where nobody knows.</summary>
    public long? Lacking
    {
        get
        {
            var opened = _opened.Task.IsCompleted ? _opened.Task.Result as RemoteAnswer<BlobSize>.Found : null;
            return (opened?.Content.Bytes ?? announcedSize) - Written;
        }
    }

    /// <summary>Whether something is being fetched that nobody waits for.</summary>
    public bool IsAbandoned
    {
        get
        {
            lock (_gate)
            {
                return _users == 1 && !_isFetched && !_isStopped;
            }
        }
    }

    /// <summary>Whether it was stopped. It may not have ended yet, but nobody is to follow it any more.</summary>
    public bool IsStopped
    {
        get
        {
            lock (_gate)
            {
                return _isStopped;
            }
        }
    }

    /// <summary>It matters as much as whoever follows it.</summary>
    public BlobFollower Follow(TransferPriority priority)
    {
        lock (_gate)
        {
            _users++;
            _clients += priority == TransferPriority.Client ? 1 : 0;
            Prioritize();
        }

        return new BlobFollower(this, priority);
    }

    /// <summary>Fetches, verifies and publishes. Never throws: whatever happens is told to the followers and the log.</summary>
    public async Task RunAsync()
    {
        var started = time.GetTimestamp();
        try
        {
            await FetchAsync(stop.Token);
            EndFetching();
            _progress.Verified();
            if (await store.TryPublishAsync(repository.Key, repository.Upstream.IsGuarded, _staged!))
            {
                downloads.Forget(this);
                LogDownloaded(digest, repository.Key, _staged!.Length, (long)time.GetElapsedTime(started).TotalMilliseconds);
                metrics.Downloaded(repository.Upstream.Name, "done");
            }
            else
            {
                // Before the next download begins in the same place: nobody must delete that one's file later.
                Discard();
                metrics.Downloaded(repository.Upstream.Name, "not stored");
            }
        }
        catch (DownloadFailedException e)
        {
            Fail(e);
        }
        catch (OperationCanceledException)
        {
            var why = IsStopped ? "nobody waits for it any more" : "the mirror is stopping";
            Fail(new DownloadFailedException(DownloadFault.Stopped, null, why));
        }
        catch (Exception e)
        {
            Fail(store.NotStored(e));
        }
        finally
        {
            downloads.Forget(this);
            Leave(TransferPriority.Completion);
        }
    }

    /// <summary>Ends it, unless it has been fetched already. What is there is kept.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            if (!_isFetched)
            {
                _isStopped = true;
                // What hears of it does so on another thread, and not under this lock.
                _ = stop.CancelAsync();
            }
        }
    }

    /// <inheritdoc cref="DownloadProgress.WaitBeyondAsync"/>
    public ValueTask<(SafeFileHandle File, long End)> WaitBeyondAsync(long offset, SafeFileHandle? file, CancellationToken cancellationToken) =>
        _progress.WaitBeyondAsync(offset, file, cancellationToken);

    /// <summary>A follower's own way on, after the store's failure.</summary>
    /// <param name="part">What it has not read yet.</param>
    /// <param name="file">From which file it has read so far.</param>
    /// <param name="cancellationToken">The follower's.</param>
    /// <exception cref="DownloadFailedException">There is none.</exception>
    public Task<DirectStream> GoOnAsync(BlobPart part, SafeFileHandle? file, CancellationToken cancellationToken) => DirectStream.OpenAsync(
        repository, digest, part, _progress.GetRemains(part.Offset, file), time, loggers.CreateLogger<BlobArrival>(), cancellationToken);

    /// <summary>The last to leave closes the files.</summary>
    /// <param name="priority">As it was given when coming.</param>
    public void Leave(TransferPriority priority)
    {
        int left;
        lock (_gate)
        {
            left = --_users;
            _clients -= priority == TransferPriority.Client ? 1 : 0;
            Prioritize();
        }

        if (left > 0)
        {
            if (left == 1)
            {
                downloads.StopIfAbandoned(this);
            }

            return;
        }

        _staged?.Dispose();
        _former?.Dispose();
    }

    /// <summary>One that was stopped may have been replaced already: only one of the two publishes.</summary>
    private void EndFetching()
    {
        lock (_gate)
        {
            if (_isStopped)
            {
                throw new OperationCanceledException(stop.Token);
            }

            _isFetched = true;
        }
    }

    private void Prioritize() => _transfer.Priority = _clients > 0 ? TransferPriority.Client : TransferPriority.Completion;

    private async Task FetchAsync(CancellationToken stopping)
    {
        await using var arrival = NewArrival(announcedSize);
        StageWhatIsLeft();
        if (_staged is null || _staged.Length != announcedSize)
        {
            await OpenAsync(arrival, stopping);
        }
        else
        {
            await ConfirmAsync(stopping);
            arrival.GoOnFrom(_staged.Length);
        }

        var goesOn = _staged is not null;
        _size = arrival.Size;
        _opened.TrySetResult(new BlobSize(_size));
        // Who has left before may have left it to nobody, when nobody knew how large it is.
        downloads.StopIfAbandoned(this);
        if (await TryReceiveAsync(arrival, stopping))
        {
            return;
        }

        if (!goesOn && !arrival.Resumed)
        {
            throw Wrong();
        }

        // The second time needs the connection that the first one may still have.
        await arrival.DisposeAsync();
        await FetchAgainAsync(arrival.Size, stopping);
    }

    /// <summary>All of it is there. Where not everybody may read everything it may have come through another repository: upstream has to say it is ours.</summary>
    private async Task ConfirmAsync(CancellationToken stopping)
    {
        if (repository.Upstream.IsGuarded
            && await repository.Upstream.HeadBlobAsync(repository.Name, digest, stopping) is RemoteAnswer<BlobSize>.Failed(var failure))
        {
            throw new DownloadFailedException(DownloadFault.Upstream, failure, failure.Why);
        }
    }

    /// <summary>What was there before, or what came in pieces, may be to blame: once more, from the first byte, into another file.</summary>
    private async Task FetchAgainAsync(long? size, CancellationToken stopping)
    {
        LogAgain(digest, repository.Key);
        _staged!.Discard();
        (_former, _staged) = (_staged, null);
        await using var arrival = NewArrival(size);
        await OpenAsync(arrival, stopping);
        if (!await TryReceiveAsync(arrival, stopping))
        {
            throw Wrong();
        }
    }

    /// <summary>
    /// Asks for what is missing. What an earlier download has left may be longer than the blob, and upstream may give no part of it to anybody: then
    /// for all of it.
    /// </summary>
    private async Task OpenAsync(BlobArrival arrival, CancellationToken stopping)
    {
        var answer = await arrival.OpenAsync(_staged?.Length ?? 0, stopping);
        var mayBeOfTheRange = answer is RemoteAnswer<BlobSize>.Failed(var refusal) && BlobArrival.MayBeOfTheRange(refusal);
        if (_staged is not null && (_staged.Length > arrival.Size || mayBeOfTheRange))
        {
            await arrival.DisposeAsync();
            var whole = await arrival.OpenAsync(0, stopping);
            if (whole is RemoteAnswer<BlobSize>.Found)
            {
                _staged.Discard();
                _staged.Dispose();
                _staged = null;
            }

            answer = whole;
        }

        if (answer is RemoteAnswer<BlobSize>.Failed(var failure))
        {
            throw new DownloadFailedException(DownloadFault.Upstream, failure, failure.Why);
        }
    }

    private BlobArrival NewArrival(long? size) =>
        new(repository, digest, size, _transfer, end: null, RepeatsAsync, time, loggers.CreateLogger<BlobArrival>());

    private void StageWhatIsLeft()
    {
        if (store.FindStaged(repository.Upstream.Name, digest) is 0)
        {
            return;
        }

        _staged = store.StageDownload(repository.Upstream.Name, digest);
        if (_staged.Length > (announcedSize ?? long.MaxValue))
        {
            _staged.Discard();
            _staged.Dispose();
            _staged = null;
        }
    }

    /// <returns>Whether all of it is there, and has the digest.</returns>
    private async Task<bool> TryReceiveAsync(BlobArrival arrival, CancellationToken stopping)
    {
        _staged ??= store.StageDownload(repository.Upstream.Name, digest);
        _progress.Begin(_staged, _size);
        _staging = new BlobStaging(_staged, _former, _progress, store);
        _contradicted = false;
        try
        {
            await ReceiveAsync(arrival, _staging, stopping);
        }
        catch (DownloadFailedException) when (_contradicted)
        {
            return false;
        }
        finally
        {
            await _staging.EndAsync();
        }

        return _staged.Verify(digest);
    }

    /// <summary>
    /// Whole blocks are handed on to be stored; where nothing more has arrived yet, what there is of a block. A store that fails ends this, and
    /// says so itself.
    /// </summary>
    private static async Task ReceiveAsync(BlobArrival arrival, BlobStaging staging, CancellationToken stopping)
    {
        while (true)
        {
            var block = BlobStaging.RentBlock();
            for (int handedOn = 0, filled = 0; filled < BlockChecksums.BlockSize;)
            {
                var reading = arrival.ReadAsync(block.AsMemory(filled..BlockChecksums.BlockSize), stopping);
                var isStoring = true;
                if (!reading.IsCompleted && filled > handedOn)
                {
                    isStoring = await staging.TryPutAsync(block, handedOn, filled, isLast: false);
                    handedOn = filled;
                }

                var read = await reading;
                filled += read;
                var isLast = read == 0 || filled == BlockChecksums.BlockSize;
                if (isLast)
                {
                    isStoring = await staging.TryPutAsync(block, handedOn, filled, isLast: true);
                }

                if (!isStoring || read == 0)
                {
                    return;
                }
            }
        }
    }

    private async ValueTask<bool> RepeatsAsync(long offset, ReadOnlyMemory<byte> content)
    {
        _contradicted = !await _staging!.HasAsync(offset, content);
        return !_contradicted;
    }

    private DownloadFailedException Wrong() => DownloadFailedException.Wrong(repository, "sent content that does not have the digest");

    private void Fail(DownloadFailedException failure)
    {
        // Before anybody hears of it: who hears of it and tries again must meet neither this one nor what is wrong of it.
        if (failure.Fault is DownloadFault.Content or DownloadFault.Store)
        {
            Discard();
        }
        else
        {
            _staged?.Keep();
        }

        downloads.Forget(this);
        metrics.Downloaded(repository.Upstream.Name, failure.Fault is DownloadFault.Stopped ? "stopped" : "failed");
        if (!_opened.Task.IsCompleted && failure.Failure is { } refused)
        {
            // The upstream's refusal has been logged as such.
            _opened.TrySetResult(refused);
            return;
        }

        if (failure.Fault is DownloadFault.Stopped)
        {
            LogStopped(digest, repository.Key, _staged?.Length ?? 0, failure.Message);
        }
        else
        {
            LogFailed(digest, repository.Key, _staged?.Length ?? 0, failure.Message);
        }

        _progress.Fail(failure);

        // Who can not have it from the store asks upstream by itself, and hears then whether there is such a blob.
        _opened.TrySetResult(new BlobSize(announcedSize));
    }

    private void Discard()
    {
        try
        {
            _staged?.Discard();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _ = store.NotStored(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Downloaded {Digest} for {Repository}: {Bytes} bytes in {Milliseconds} ms")]
    private partial void LogDownloaded(Digest digest, RepositoryKey repository, long bytes, long milliseconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Digest} for {Repository} came in pieces that do not fit together; it is fetched once more from its first byte")]
    private partial void LogAgain(Digest digest, RepositoryKey repository);

    [LoggerMessage(Level = LogLevel.Information, Message = "The download of {Digest} for {Repository} stopped after {Bytes} bytes: {Why}")]
    private partial void LogStopped(Digest digest, RepositoryKey repository, long bytes, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The download of {Digest} for {Repository} failed after {Bytes} bytes: {Why}")]
    private partial void LogFailed(Digest digest, RepositoryKey repository, long bytes, string why);
}
