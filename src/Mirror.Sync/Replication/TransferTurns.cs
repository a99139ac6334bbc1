using Mirror.Sync.Repositories;

namespace Mirror.Sync.Replication;

/// <summary>
/// A blob that is copied needs a connection at either side. Who takes both at once never holds one while it waits for the other, as two
/// jobs in opposite directions would for ever.
/// </summary>
internal sealed class TransferTurns
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _taken = new(StringComparer.Ordinal);
    private readonly LinkedList<Waiter> _waiting = [];

    /// <returns>To be disposed when the blob is there.</returns>
    /// <exception cref="CopyFailedException">There can not be two connections at once.</exception>
    public async Task<IDisposable> EnterAsync(IRegistry source, IRegistry target, CancellationToken cancellationToken)
    {
        if (source.Name == target.Name && source.Transfers < 2)
        {
            throw new CopyFailedException(
                $"{source.Name} does not mount the blob, and to read and write it at once takes two connections: "
                + "give the registry more (maxConnections: 8)");
        }

        var waiter = new Waiter(source, target);
        lock (_gate)
        {
            _waiting.AddLast(waiter);
            AdmitNext();
        }

        await using var registration = cancellationToken.UnsafeRegister(_ => Withdraw(waiter, cancellationToken), null);
        await waiter.Admitted.Task;
        return new Turn(this, waiter);
    }

    private void Withdraw(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_waiting.Remove(waiter))
            {
                waiter.Admitted.TrySetCanceled(cancellationToken);
            }
        }
    }

    /// <summary>Whoever fits, in the order of their coming.</summary>
    private void AdmitNext()
    {
        for (var node = _waiting.First; node is not null;)
        {
            var (next, waiter) = (node.Next, node.Value);
            if (Fits(waiter.Source, waiter.Target) && Fits(waiter.Target, waiter.Source))
            {
                _waiting.Remove(node);
                Take(waiter, 1);
                waiter.Admitted.TrySetResult();
            }

            node = next;
        }
    }

    private bool Fits(IRegistry registry, IRegistry other) =>
        _taken.GetValueOrDefault(registry.Name) + (registry.Name == other.Name ? 2 : 1) <= Math.Max(registry.Transfers, 1);

    private void Take(Waiter waiter, int amount)
    {
        _taken[waiter.Source.Name] = _taken.GetValueOrDefault(waiter.Source.Name) + amount;
        _taken[waiter.Target.Name] = _taken.GetValueOrDefault(waiter.Target.Name) + amount;
    }

    private void Leave(Waiter waiter)
    {
        lock (_gate)
        {
            Take(waiter, -1);
            AdmitNext();
        }
    }

    private sealed class Waiter(IRegistry source, IRegistry target)
    {
        public IRegistry Source => source;

        public IRegistry Target => target;

        public TaskCompletionSource Admitted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Turn(TransferTurns turns, Waiter waiter) : IDisposable
    {
        public void Dispose() => turns.Leave(waiter);
    }
}
