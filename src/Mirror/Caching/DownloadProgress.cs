using Microsoft.Win32.SafeHandles;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// How far a download has come, in which file, and the wait for more. All bytes but the last may be read as soon as they are written; the last
/// one is held back until the digest is verified, so that nobody can have received a complete blob that is wrong.
/// </summary>
/// <remarks>
/// A download that starts once more writes another file. Nobody is given what lies behind his offset before the new file has come beyond it, so
/// that by then all he has had from the old one has been compared with the new one.
/// </remarks>
internal sealed class DownloadProgress
{
    private readonly Lock _gate = new();
    private SafeFileHandle? _file;
    private long _written;
    private long _last = long.MaxValue;    // where the last byte is, if that is known: it is not read before all is verified
    private long _agreed;    // how far an earlier file was the same
    private bool _verified;
    private DownloadFailedException? _failure;
    private TaskCompletionSource? _moved;

    public long Written => Volatile.Read(ref _written);

    public DownloadFailedException? Failure
    {
        get
        {
            lock (_gate)
            {
                return _failure is null ? null : new DownloadFailedException(_failure.Fault, _failure.Failure, _failure.Message);
            }
        }
    }

    /// <summary>From now on this file is read, and what is in it already counts.</summary>
    /// <param name="staged">The file.</param>
    /// <param name="size">The blob's, in bytes, where it is known.</param>
    public void Begin(StagedBlob staged, long? size) => Change(() =>
        (_file, _written, _last, _agreed) = (staged.Handle, staged.Length, (size ?? long.MaxValue) - 1, long.MaxValue));

    /// <summary>So many bytes of the file can be read now.</summary>
    public void Advance(long written) => Change(() => _written = written);

    /// <summary>The file that was read before differs from this one there.</summary>
    public void Differs(long offset) => Change(() => _agreed = Math.Min(_agreed, offset));

    /// <summary>The digest is right: the rest may be read.</summary>
    public void Verified() => Change(() => _verified = true);

    public void Fail(DownloadFailedException failure) => Change(() => _failure ??= failure);

    /// <summary>Waits until there is something behind <paramref name="offset"/>.</summary>
    /// <param name="offset">How far the reader is.</param>
    /// <param name="file">From which file it has read so far; null where it has read nothing yet.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The file, and the offset up to which it can be read: <paramref name="offset"/> itself at the blob's end.</returns>
    /// <exception cref="DownloadFailedException">There will never be.</exception>
    public async ValueTask<(SafeFileHandle File, long End)> WaitBeyondAsync(
        long offset, SafeFileHandle? file, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task moved;
            lock (_gate)
            {
                if (IsOther(file) && (offset > _agreed || (_verified && offset > _written)))
                {
                    throw new DownloadFailedException(DownloadFault.Content, null, "what upstream sent at first was wrong");
                }

                if (_verified)
                {
                    return (_file!, _written);
                }

                if (Failure is { } failure)
                {
                    throw failure;
                }

                var readable = Math.Min(_written - 1, _last);
                if (readable > offset)
                {
                    return (_file!, readable);
                }

                _moved ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                moved = _moved.Task;
            }

            await moved.WaitAsync(cancellationToken);
        }
    }

    /// <summary>What is there of a download that could not be stored, for a reader that goes on elsewhere.</summary>
    /// <param name="offset">How far it is.</param>
    /// <param name="file">From which file it has read so far.</param>
    /// <exception cref="DownloadFailedException">What it has had can no longer be compared with what it would get.</exception>
    public (SafeFileHandle? File, long Written) GetRemains(long offset, SafeFileHandle? file)
    {
        lock (_gate)
        {
            return IsOther(file) && offset > Math.Min(_agreed, _written)
                ? throw new DownloadFailedException(DownloadFault.Stopped, null, _failure?.Message ?? "it is being fetched once more")
                : (_file, _written);
        }
    }

    private bool IsOther(SafeFileHandle? file) => file is not null && file != _file;

    private void Change(Action change)
    {
        TaskCompletionSource? moved;
        lock (_gate)
        {
            change();
            (moved, _moved) = (_moved, null);
        }

        moved?.SetResult();
    }
}
