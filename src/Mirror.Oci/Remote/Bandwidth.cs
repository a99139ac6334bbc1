namespace Mirror.Oci.Remote;

/// <summary>
/// How much is received from one registry in a second: a bucket that fills at that rate, and holds what comes in a second. Whoever has
/// received something takes it out, even if it is not there, and the next waits until nothing is owed any more; who is no client waits
/// until the bucket is half full, which it is only when clients leave something.
/// </summary>
internal sealed class Bandwidth : IDisposable
{
    private readonly Lock _gate = new();
    private readonly WaitingLine _waiting = new();
    private readonly long _perSecond;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private double _level;
    private long _filledAt;

    /// <param name="perSecond">In bytes.</param>
    /// <param name="time">The clock.</param>
    public Bandwidth(long perSecond, TimeProvider time)
    {
        (_perSecond, _time) = (perSecond, time);
        (_level, _filledAt) = (perSecond, time.GetTimestamp());
        _timer = time.CreateTimer(_ => Reconsider(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public Task TakeAsync(Transfer transfer, int bytes, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_gate)
        {
            waiter = _waiting.Add(transfer, bytes);
            ServeNext();
        }

        return waiter.WaitAsync(TryWithdraw, cancellationToken);
    }

    /// <summary>Time has passed, or a priority has changed.</summary>
    public void Reconsider()
    {
        lock (_gate)
        {
            ServeNext();
        }
    }

    public void Dispose() => _timer.Dispose();

    private bool TryWithdraw(Waiter waiter)
    {
        lock (_gate)
        {
            var isWithdrawn = _waiting.Remove(waiter);
            ServeNext();
            return isWithdrawn;
        }
    }

    private void ServeNext()
    {
        Fill();
        while (_waiting.First is { } first)
        {
            var lacking = (first.Transfer.Priority == TransferPriority.Client ? 0 : _perSecond / 2) - _level;
            // Less than a byte is an error of rounding.
            if (lacking >= 1)
            {
                _timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(lacking * 1000 / _perSecond)), Timeout.InfiniteTimeSpan);
                return;
            }

            _waiting.Remove(first);
            _level -= first.Amount;
            first.Admit();
        }
    }

    private void Fill()
    {
        var now = _time.GetTimestamp();
        _level = Math.Min(_perSecond, _level + (_time.GetElapsedTime(_filledAt, now).TotalSeconds * _perSecond));
        _filledAt = now;
    }
}
