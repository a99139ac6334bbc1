namespace Mirror.Oci.Remote;

/// <summary>
/// Transfers that wait for something: by priority, and with the same priority in the order in which they came. It is read when somebody's
/// turn comes, so a change of priority needs nothing else. Whoever has a line locks it.
/// </summary>
internal sealed class WaitingLine
{
    private readonly List<Waiter> _waiters = [];

    public Waiter? First => _waiters.MinBy(waiter => waiter.Transfer.Priority);

    /// <param name="transfer">Who waits.</param>
    /// <param name="amount">For how much.</param>
    public Waiter Add(Transfer transfer, int amount)
    {
        var waiter = new Waiter(transfer, amount);
        _waiters.Add(waiter);
        return waiter;
    }

    public bool Remove(Waiter waiter) => _waiters.Remove(waiter);
}

/// <summary>A place in a line.</summary>
internal sealed class Waiter(Transfer transfer, int amount)
{
    private readonly TaskCompletionSource _turn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Transfer Transfer => transfer;

    public int Amount => amount;

    /// <summary>It is this one's turn. Called once it is out of the line.</summary>
    public void Admit() => _turn.SetResult();

    /// <summary>Waits for its turn.</summary>
    /// <param name="tryWithdraw">Takes it out of the line; false where its turn has come, which then counts.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task WaitAsync(Func<Waiter, bool> tryWithdraw, CancellationToken cancellationToken)
    {
        if (_turn.Task.IsCompleted)
        {
            return;
        }

        await using var registration = cancellationToken.UnsafeRegister(
            (_, token) =>
            {
                if (tryWithdraw(this))
                {
                    _turn.SetCanceled(token);
                }
            },
            null);
        await _turn.Task;
    }
}
