using System.Buffers;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// One running fetch of one blob. It belongs to nobody who follows it: they come, go and read at their own pace, and it runs to its end.
/// <code>
///             ┌─ broken ◄─┐
///             ▼           │
/// asking ──► growing ─────┴──► verified ──► published
///    │          │                 │
///    ▼          ▼                 ▼
/// refused   failed: what is there is kept for the next attempt, unless it is wrong
/// </code>
/// Where upstream breaks off, it is asked for the rest; where it starts again from the beginning, what it repeats must be what it sent before.
/// Followers read the staged file behind the writer. They get its last byte when it is verified; publishing, which waits for the disk, is no
/// concern of theirs.
/// </summary>
/// <param name="repository">Through which it is fetched.</param>
/// <param name="digest">What is fetched.</param>
/// <param name="announcedSize">Its size as a manifest has it, in bytes: another is refused, and more is not received.</param>
/// <param name="forget">Takes it off the list of running downloads, so that who asks from then on starts another.</param>
/// <param name="store">Where it is staged and published.</param>
/// <param name="metrics">Counts it.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets one event.</param>
internal sealed partial class BlobDownload(
    UpstreamRepository repository,
    Digest digest,
    long? announcedSize,
    Action<BlobDownload> forget,
    Store store,
    MirrorMetrics metrics,
    TimeProvider time,
    ILogger<BlobDownload> logger)
{
    /// <summary>So often in a row an attempt may bring nothing worth the name: the pauses between them add up to a minute and a half.</summary>
    private const int MaxFruitless = 8;
    private const int Fruit = 64 * 1024;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(25);

    private readonly TaskCompletionSource<RemoteAnswer<BlobSize>> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DownloadProgress _progress = new();
    private readonly Lock _gate = new();
    private StagedBlob? _staged;
    private long? _size;                  // what followers were told
    private long _before;                 // how much was there before the running attempt
    private bool _wrong;                  // whether what is staged must not be gone on with
    private RemoteFailure? _broken;       // how the last attempt ended
    private bool _brokeOff;               // whether another is worth it at once: it ended inside a body
    private int _users = 1;    // the download itself, until its end

    public UpstreamRepository Repository => repository;

    /// <summary>Whether upstream gives the blob, and its size.</summary>
    public Task<RemoteAnswer<BlobSize>> Opened => _opened.Task;

    public long Written => _progress.Written;

    public BlobFollower Follow()
    {
        lock (_gate)
        {
            _users++;
        }

        return new BlobFollower(this);
    }

    /// <summary>Fetches, verifies and publishes. Never throws: whatever happens is told to the followers and the log.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var started = time.GetTimestamp();
        try
        {
            await FetchAsync(stopping);
            await PublishAsync();
            forget(this);
            LogDownloaded(digest, repository.Key, _staged!.Length, (long)time.GetElapsedTime(started).TotalMilliseconds);
            metrics.Downloaded(repository.Upstream.Name, "done", _staged.Length);
        }
        catch (DownloadFailedException e)
        {
            Fail(e);
        }
        catch (OperationCanceledException)
        {
            Fail(new DownloadFailedException(null, "the mirror is stopping"));
        }
        catch (Exception e)
        {
            Fail(new DownloadFailedException(null, $"the mirror could not store it: {e.Message}"));
        }
        finally
        {
            forget(this);
            Leave();
        }
    }

    /// <summary>Reads what is there behind <paramref name="offset"/>, waiting for the first byte of it. 0 at the verified end.</summary>
    /// <exception cref="DownloadFailedException">The download has failed.</exception>
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var end = await _progress.WaitBeyondAsync(offset, cancellationToken);
        var length = (int)Math.Clamp(end - offset, 0, buffer.Length);
        return length == 0 ? 0 : RandomAccess.Read(_staged!.Handle, buffer.Span[..length], offset);
    }

    /// <summary>The last to leave closes the file.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            if (--_users > 0)
            {
                return;
            }
        }

        _staged?.Dispose();
    }

    private async Task FetchAsync(CancellationToken stopping)
    {
        if (store.Blobs.FindStaged(repository.Upstream.Name, digest) > 0)
        {
            Stage();
            if (_staged!.Length > (announcedSize ?? long.MaxValue))
            {
                StartAgain();
            }
        }

        var fruitless = 0;
        while (!await TryReceiveAsync(stopping))
        {
            fruitless = _progress.Written - _before >= Fruit ? 0 : fruitless + 1;
            await PauseAsync(fruitless, stopping);
        }

        if (!_staged!.Verify())
        {
            throw Wrong("sent content that does not have the digest");
        }

        _progress.Verified();
    }

    /// <summary>One attempt at all that is missing.</summary>
    /// <returns>Whether it is all there; if not, <see cref="_broken"/> says why.</returns>
    /// <exception cref="DownloadFailedException">Another attempt would not help.</exception>
    private async Task<bool> TryReceiveAsync(CancellationToken stopping)
    {
        _before = _staged?.Length ?? 0;
        _brokeOff = false;
        // Where not everybody may read everything, what is there may have come through another repository: upstream has to say it is ours.
        var isOurs = _opened.Task.IsCompleted || !repository.Upstream.IsGuarded;
        if (_before > 0 && _before == (_size ?? announcedSize) && isOurs)
        {
            _opened.TrySetResult(new BlobSize(_before));
            return true;
        }

        switch (await repository.Upstream.OpenBlobAsync(repository.Name, digest, _before, stopping))
        {
            case RemoteAnswer<RemoteBlob>.Found(var blob):
                await using (blob)
                {
                    return await TryReceiveAsync(blob);
                }

            case RemoteAnswer<RemoteBlob>.Failed(var failure):
                _broken = failure;
                if (!_opened.Task.IsCompleted && _before > 0 && failure is RemoteFailure.Unavailable { Reason: UnavailableReason.Unsupported })
                {
                    // What an earlier attempt has left is longer than the blob: that is our trouble, and no reason to pause.
                    StartAgain();
                    _brokeOff = true;
                    return false;
                }

                return _opened.Task.IsCompleted && failure is RemoteFailure.Unavailable or RemoteFailure.Throttled
                    ? false
                    : throw new DownloadFailedException(failure, failure.Why);

            default:
                throw new UnreachableException();
        }
    }

    private async Task<bool> TryReceiveAsync(RemoteBlob blob)
    {
        if (FaultOf(blob) is { } fault)
        {
            _broken = new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{repository.Upstream.Name} {fault}");
            return _opened.Task.IsCompleted ? false : throw new DownloadFailedException(_broken, _broken.Why);
        }

        _size ??= blob.Size ?? announcedSize;
        Stage();
        _opened.TrySetResult(new BlobSize(_size));
        _brokeOff = true;
        try
        {
            await ReceiveAsync(blob);
            _broken = new RemoteFailure.Unavailable(
                UnavailableReason.Unreachable, $"{repository.Upstream.Name} ended after {_staged!.Length} of {_size} bytes");
            return _size is null || _staged.Length == _size;
        }
        catch (RemoteReadException e)
        {
            _broken = e.Failure;
            return false;
        }
    }

    /// <summary>The size is what a manifest says, and what followers have been told: an upstream that says another is asked again.</summary>
    private string? FaultOf(RemoteBlob blob) =>
        blob.Size is { } size && (_size ?? announcedSize) is { } expected && size != expected
            ? $"has a blob of {size} bytes where {(_size is null ? "the manifest" : "it itself")} says {expected}"
            : null;

    private void StartAgain()
    {
        _staged!.Discard();
        _staged.Dispose();
        _staged = null;
        _progress.Advance(0);
    }

    private void Stage()
    {
        _staged ??= store.Blobs.StageDownload(repository.Upstream.Name, digest);
        _progress.Advance(_staged.Length);
    }

    private async Task ReceiveAsync(RemoteBlob blob)
    {
        var position = blob.Offset;
        var buffer = ArrayPool<byte>.Shared.Rent(BlockChecksums.BlockSize);
        try
        {
            while (await blob.Body.ReadAsync(buffer) is > 0 and var read)
            {
                if (read > (_size ?? long.MaxValue) - position)
                {
                    throw Wrong($"sent more than {_size} bytes");
                }

                var repeated = (int)Math.Clamp(_staged!.Length - position, 0, read);
                if (!_staged.Has(position, buffer.AsSpan(0, repeated)))
                {
                    throw Wrong("sent other bytes than before");
                }

                _staged.Append(buffer.AsSpan(repeated, read - repeated));
                _progress.Advance(_staged.Length);
                position += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// None after a body that broke off, as connections do; longer and longer where that brings nothing or upstream answers with errors, and
    /// at least what it asks for.
    /// </summary>
    private async Task PauseAsync(int fruitless, CancellationToken stopping)
    {
        var pause = fruitless == 0 || (fruitless == 1 && _brokeOff) ? TimeSpan.Zero : FirstPause * Math.Pow(2, fruitless - 1);
        var asked = (_broken as RemoteFailure.Throttled)?.RetryAfter ?? TimeSpan.Zero;
        if (fruitless >= MaxFruitless || asked > LongestPause)
        {
            throw new DownloadFailedException(_broken, _broken!.Why);
        }

        LogBroken(digest, repository.Key, _progress.Written, _broken!.Why);
        pause = pause > LongestPause ? LongestPause : pause;
        await Task.Delay(asked > pause ? asked : pause, time, stopping);
    }

    /// <summary>The followers already have what they came for: a disk that fails now costs only the cached copy.</summary>
    private async Task PublishAsync()
    {
        try
        {
            await store.Metadata.RecordBlobAsync(repository.Key, repository.Upstream.IsGuarded, _staged!.Publish());
        }
        catch (Exception e)
        {
            throw new DownloadFailedException(null, $"it was received, but the mirror could not store it: {e.Message}");
        }
    }

    private DownloadFailedException Wrong(string what)
    {
        _wrong = true;
        var why = $"{repository.Upstream.Name} {what}";
        return new DownloadFailedException(new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, why), why);
    }

    private void Fail(DownloadFailedException failure)
    {
        // Before anybody hears of it: who hears of it and tries again must meet neither this one nor what is wrong of it.
        if (_wrong)
        {
            _staged?.Discard();
        }
        else
        {
            _staged?.Keep();
        }

        forget(this);
        metrics.Downloaded(repository.Upstream.Name, "failed", _staged?.Length ?? 0);
        if (_staged is null && failure.Failure is { } refused)
        {
            // The upstream's refusal has been logged as such.
            _opened.TrySetResult(refused);
            return;
        }

        LogFailed(digest, repository.Key, _staged?.Length ?? 0, failure.Message);
        _opened.TrySetException(failure);
        _ = _opened.Task.Exception;    // perhaps nobody waits for it any more
        _progress.Fail(failure);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Downloaded {Digest} for {Repository}: {Bytes} bytes in {Milliseconds} ms")]
    private partial void LogDownloaded(Digest digest, RepositoryKey repository, long bytes, long milliseconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The download of {Digest} for {Repository} broke off after {Bytes} bytes and will go on: {Why}")]
    private partial void LogBroken(Digest digest, RepositoryKey repository, long bytes, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The download of {Digest} for {Repository} failed after {Bytes} bytes: {Why}")]
    private partial void LogFailed(Digest digest, RepositoryKey repository, long bytes, string why);
}
