namespace Mirror.Testing;

/// <summary>
/// Lets a test wait for a state instead of for a time. A state that does not come is a failed test with a reason, not a hanging run.
/// </summary>
internal sealed class Signal
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private TaskCompletionSource _raised = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Says that the state may have changed; called after the change, outside the lock that guards it.</summary>
    public void Raise()
    {
        TaskCompletionSource raised;
        lock (_lock)
        {
            raised = _raised;
            _raised = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        raised.SetResult();
    }

    public async Task Until(Func<bool> reached, CancellationToken cancellationToken)
    {
        while (true)
        {
            // Taken before the state is looked at, so that no change falls between the two.
            var raised = Next();
            if (reached())
            {
                return;
            }

            await raised.WaitAsync(cancellationToken);
        }
    }

    /// <exception cref="TimeoutException">It has not come for half a minute; <paramref name="complaint"/> says what.</exception>
    public async Task Until(Func<bool> reached, Func<string> complaint)
    {
        using var timeout = new CancellationTokenSource(Patience, TimeProvider.System);
        try
        {
            await Until(reached, timeout.Token);
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"After {Patience.TotalSeconds} seconds: {complaint()}.", e);
        }
    }

    private Task Next()
    {
        lock (_lock)
        {
            return _raised.Task;
        }
    }
}
