namespace Mirror.Oci.Remote;

/// <summary>For whom blobs are transferred, those first who matter most.</summary>
public enum TransferPriority
{
    /// <summary>Somebody waits for it.</summary>
    Client,

    /// <summary>Somebody will probably ask for it: the rest of an image, one that is warmed, what clients have left behind.</summary>
    Completion,

    /// <summary>Replication, which has time.</summary>
    Sync,
}

/// <summary>
/// A blob's transfer, over all its attempts, among the others of its registry. Whom it is for may change at any time, and counts at once,
/// also while it waits.
/// </summary>
public sealed class Transfer
{
    private readonly ConnectionSlots _connections;
    private readonly Bandwidth? _bandwidth;
    private volatile TransferPriority _priority;

    internal Transfer(ConnectionSlots connections, Bandwidth? bandwidth, TransferPriority priority) =>
        (_connections, _bandwidth, _priority) = (connections, bandwidth, priority);

    public TransferPriority Priority
    {
        get => _priority;
        set
        {
            if (_priority != value)
            {
                _priority = value;
                _connections.Reconsider();
                _bandwidth?.Reconsider();
            }
        }
    }

    /// <summary>Waits for a connection; it is for one attempt.</summary>
    internal async Task<TransferSlot> EnterAsync(CancellationToken cancellationToken)
    {
        await _connections.EnterAsync(this, cancellationToken);
        return new TransferSlot(this, _connections, _bandwidth);
    }
}

/// <summary>A transfer's connection, until it is disposed.</summary>
internal sealed class TransferSlot(Transfer transfer, ConnectionSlots connections, Bandwidth? bandwidth) : IDisposable
{
    private int _isLeft;

    public bool IsPaced => bandwidth is not null;

    /// <summary>So many bytes have been received: waits until that was not too fast.</summary>
    public Task PaceAsync(int bytes, CancellationToken cancellationToken) =>
        bandwidth?.TakeAsync(transfer, bytes, cancellationToken) ?? Task.CompletedTask;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isLeft, 1) == 0)
        {
            connections.Leave(transfer);
        }
    }
}
