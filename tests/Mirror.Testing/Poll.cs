namespace Mirror.Testing;

/// <summary>Waits for a state that can not tell when it is reached: another process's, a file's, a row's.</summary>
public static class Poll
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Far more than anything inside the test's own process takes on a busy machine.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <exception cref="TimeoutException">It was not reached; <paramref name="complaint"/> says what.</exception>
    public static Task UntilAsync(Func<bool> reached, string complaint) => UntilAsync(() => Task.FromResult(reached()), Patience, () => complaint);

    /// <exception cref="TimeoutException">It was not reached; <paramref name="complaint"/> says what.</exception>
    public static Task UntilAsync(Func<Task<bool>> reached, string complaint) => UntilAsync(reached, Patience, () => complaint);

    /// <exception cref="TimeoutException">It was not reached in time; <paramref name="complaint"/> says what.</exception>
    public static async Task UntilAsync(Func<Task<bool>> reached, TimeSpan limit, Func<string> complaint)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await reached())
        {
            if (TimeProvider.System.GetElapsedTime(started) > limit)
            {
                throw new TimeoutException($"After {limit.TotalSeconds} seconds: {complaint()}");
            }

            await Task.Delay(Pause, TimeProvider.System);
        }
    }
}
