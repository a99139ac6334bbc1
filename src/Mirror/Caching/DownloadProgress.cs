using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>A download has failed for everybody who follows it.</summary>
/// <param name="failure">What upstream did, or null where our own disk failed.</param>
/// <param name="why">For people.</param>
public sealed class DownloadFailedException(RemoteFailure? failure, string why) : Exception(why)
{
    public RemoteFailure? Failure { get; } = failure;
}

/// <summary>
/// How far a download has come, and the wait for more. All bytes but the last may be read as soon as they are written; the last one is held
/// back until the digest is verified, so that nobody can have received a complete blob that is wrong.
/// </summary>
internal sealed class DownloadProgress
{
    private readonly Lock _gate = new();
    private long _written;
    private bool _verified;
    private DownloadFailedException? _failure;
    private TaskCompletionSource? _moved;

    public long Written => Volatile.Read(ref _written);

    /// <summary>So many bytes of the staged file can be read now.</summary>
    public void Advance(long written) => Change(() => _written = written);

    /// <summary>The digest is right: the rest may be read.</summary>
    public void Verified() => Change(() => _verified = true);

    public void Fail(DownloadFailedException failure) => Change(() => _failure ??= failure);

    /// <summary>Waits until there is something behind <paramref name="offset"/>.</summary>
    /// <returns>The offset up to which can be read: <paramref name="offset"/> itself at the blob's end.</returns>
    /// <exception cref="DownloadFailedException">There will never be.</exception>
    public async ValueTask<long> WaitBeyondAsync(long offset, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task moved;
            lock (_gate)
            {
                if (_verified)
                {
                    return _written;
                }

                if (_failure is not null)
                {
                    throw new DownloadFailedException(_failure.Failure, _failure.Message);
                }

                if (_written - 1 > offset)
                {
                    return _written - 1;
                }

                _moved ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                moved = _moved.Task;
            }

            await moved.WaitAsync(cancellationToken);
        }
    }

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
