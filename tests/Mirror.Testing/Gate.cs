namespace Mirror.Testing;

/// <summary>
/// Holds a fake server's answers until the test lets them go on, and tells the test how far they are. Several requests may stand at one
/// gate: what is released is shared between them, and what they have sent is summed up.
/// </summary>
public sealed class Gate
{
    private readonly Lock _lock = new();
    private readonly Signal _changed = new();
    private bool _arrived;
    private bool _open;
    private long _released;
    private long _sent;

    /// <summary>The body bytes that went through this gate into the kernel's send buffer.</summary>
    public long Sent
    {
        get
        {
            lock (_lock)
            {
                return _sent;
            }
        }
    }

    /// <summary>Lets so many more body bytes pass, if <see cref="Behaviour.Drip"/> holds them.</summary>
    public void ReleaseBytes(long count) => Change(() => _released += count);

    /// <summary>Lets everything pass, now and later.</summary>
    public void Open() => Change(() => _open = true);

    /// <summary>Completes when a request stands at this gate.</summary>
    public Task Arrived() => _changed.Until(() => Read(() => _arrived), () => "no request has come to the gate");

    /// <summary>Completes when so many body bytes, at least, have been sent through this gate.</summary>
    public Task Reached(long bytes) => _changed.Until(() => Sent >= bytes, () => $"{Sent} bytes were sent, not {bytes}");

    internal void Arrive() => Change(() => _arrived = true);

    internal void Report(long sent) => Change(() => _sent += sent);

    internal Task OpenedAsync(CancellationToken cancellationToken) => _changed.Until(() => Read(() => _open), cancellationToken);

    /// <summary>Waits for bytes to be released and takes at most <paramref name="wanted"/> of them.</summary>
    internal async Task<int> TakeAsync(int wanted, CancellationToken cancellationToken)
    {
        var taken = 0;
        await _changed.Until(() => (taken = Read(() => Take(wanted))) > 0, cancellationToken);
        return taken;
    }

    private int Take(int wanted)
    {
        if (_open)
        {
            return wanted;
        }

        var taken = (int)Math.Min(wanted, _released);
        _released -= taken;
        return taken;
    }

    private T Read<T>(Func<T> read)
    {
        lock (_lock)
        {
            return read();
        }
    }

    private void Change(Action change)
    {
        lock (_lock)
        {
            change();
        }

        _changed.Raise();
    }
}
