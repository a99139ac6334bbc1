namespace Mirror.Oci.Remote;

/// <summary>
/// How many blobs are transferred from one registry at once, and who is next. A part is kept for clients: all others together have a
/// quarter at most, though at least one, and wait while a client waits.
/// </summary>
/// <param name="limit">At least 1.</param>
internal sealed class ConnectionSlots(int limit)
{
    private readonly Lock _gate = new();
    private readonly List<Transfer> _holders = [];
    private readonly WaitingLine _waiting = new();

    /// <summary>How many may be held by others than clients.</summary>
    public int Spare { get; } = Math.Max(limit / 4, 1);

    /// <summary>Whether one more client would have to wait.</summary>
    public bool IsFull
    {
        get
        {
            lock (_gate)
            {
                return _holders.Count >= limit;
            }
        }
    }

    public Task EnterAsync(Transfer transfer, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_gate)
        {
            waiter = _waiting.Add(transfer, amount: 1);
            AdmitNext();
        }

        return waiter.WaitAsync(TryWithdraw, cancellationToken);
    }

    public void Leave(Transfer transfer)
    {
        lock (_gate)
        {
            _holders.Remove(transfer);
            AdmitNext();
        }
    }

    /// <summary>A priority has changed.</summary>
    public void Reconsider()
    {
        lock (_gate)
        {
            AdmitNext();
        }
    }

    private bool TryWithdraw(Waiter waiter)
    {
        lock (_gate)
        {
            var isWithdrawn = _waiting.Remove(waiter);
            AdmitNext();
            return isWithdrawn;
        }
    }

    private void AdmitNext()
    {
        while (_waiting.First is { } first && MayEnter(first.Transfer.Priority))
        {
            _waiting.Remove(first);
            _holders.Add(first.Transfer);
            first.Admit();
        }
    }

    private bool MayEnter(TransferPriority priority) => _holders.Count < limit
        && (priority == TransferPriority.Client
            || _holders.Count(holder => holder.Priority != TransferPriority.Client) < Spare);
}
