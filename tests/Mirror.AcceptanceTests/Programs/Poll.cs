namespace Mirror.AcceptanceTests.Programs;

/// <summary>Waits for a state of another process, which can not tell when it is reached.</summary>
internal static class Poll
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

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
