using System.Buffers;
using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// One running fetch of one blob. It belongs to nobody who follows it: they come, go and read at their own pace, and it runs to its end.
/// <code>
/// asking ──► growing ──► verified ──► published
///    │          │            │
///    └──────────┴────────────┴──► failed: nothing is kept
/// </code>
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
    private readonly TaskCompletionSource<RemoteAnswer<BlobSize>> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DownloadProgress _progress = new();
    private readonly Lock _gate = new();
    private StagedBlob? _staged;
    private int _users = 1;    // the download itself, until its end

    public UpstreamRepository Repository => repository;

    /// <summary>Whether upstream gives the blob, and its size.</summary>
    public Task<RemoteAnswer<BlobSize>> Opened => _opened.Task;

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
        catch (RemoteReadException e)
        {
            Fail(new DownloadFailedException(e.Failure, e.Failure.Why));
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
        var answer = await repository.Upstream.OpenBlobAsync(repository.Name, digest, 0, stopping);
        if (answer is not RemoteAnswer<RemoteBlob>.Found(var blob))
        {
            var failure = ((RemoteAnswer<RemoteBlob>.Failed)answer).Failure;
            throw new DownloadFailedException(failure, failure.Why);
        }

        var expected = blob.Size ?? announcedSize;
        await using (blob)
        {
            if (announcedSize is not null && expected != announcedSize)
            {
                throw Wrong($"has a blob of {blob.Size} bytes where the manifest says {announcedSize}");
            }

            _staged = store.Blobs.Stage(digest);
            _opened.TrySetResult(new BlobSize(expected));
            await ReceiveAsync(blob, expected ?? long.MaxValue);
        }

        if (expected is { } size && size != _staged.Length)
        {
            throw Wrong($"ended after {_staged.Length} of {size} bytes");
        }

        if (!_staged.Verify())
        {
            throw Wrong("sent content that does not have the digest");
        }

        _progress.Verified();
    }

    private async Task ReceiveAsync(RemoteBlob blob, long limit)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BlockChecksums.BlockSize);
        try
        {
            while (await blob.Body.ReadAsync(buffer) is > 0 and var read)
            {
                if (read > limit - _staged!.Length)
                {
                    throw Wrong($"sent more than {limit} bytes");
                }

                _staged.Append(buffer.AsSpan(0, read));
                _progress.Advance(_staged.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The followers already have what they came for: a disk that fails now costs only the cached copy.</summary>
    private async Task PublishAsync()
    {
        try
        {
            await store.Metadata.RecordBlobAsync(repository.Key, _staged!.Publish());
        }
        catch (Exception e)
        {
            throw new DownloadFailedException(null, $"it was received, but the mirror could not store it: {e.Message}");
        }
    }

    private DownloadFailedException Wrong(string what)
    {
        var why = $"{repository.Upstream.Name} {what}";
        return new DownloadFailedException(new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, why), why);
    }

    private void Fail(DownloadFailedException failure)
    {
        // Before anybody hears of it: who hears of it and tries again must not meet this one again.
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "The download of {Digest} for {Repository} failed after {Bytes} bytes: {Why}")]
    private partial void LogFailed(Digest digest, RepositoryKey repository, long bytes, string why);
}

/// <summary>One reader of a running download. Disposing it says that this reader has gone; the download goes on.</summary>
public sealed class BlobFollower : IDisposable
{
    private readonly BlobDownload _download;
    private int _left;

    internal BlobFollower(BlobDownload download) => _download = download;

    /// <summary>Through which repository the blob is being fetched.</summary>
    public UpstreamRepository Repository => _download.Repository;

    /// <summary>Whether upstream gives the blob, and its size.</summary>
    /// <exception cref="DownloadFailedException">Our own disk failed.</exception>
    public Task<RemoteAnswer<BlobSize>> OpenedAsync(CancellationToken cancellationToken) => _download.Opened.WaitAsync(cancellationToken);

    /// <summary>Reads what is there behind <paramref name="offset"/>, waiting for the first byte of it. 0 at the verified end.</summary>
    /// <exception cref="DownloadFailedException">The download has failed.</exception>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken) =>
        _download.ReadAsync(offset, buffer, cancellationToken);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
        {
            _download.Leave();
        }
    }
}
