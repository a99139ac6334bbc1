namespace Mirror.Sync.Scheduling;

/// <param name="Name">Unique among the jobs of a clock.</param>
/// <param name="Schedule">When it is to run.</param>
/// <param name="LastStarted">When its last run began, if that is remembered.</param>
/// <param name="RunAsync">Runs it. What it throws is for <see cref="JobClock"/>'s <c>failed</c>, and no reason not to run it again.</param>
public sealed record ScheduledJob(string Name, Schedule Schedule, DateTimeOffset? LastStarted, Func<CancellationToken, Task> RunAsync);

/// <summary>
/// Runs jobs when they are due, each by itself and never twice at once. Times that went by while a job was still running, or while
/// nothing was running at all, are made up for by one run.
/// </summary>
public sealed class JobClock : IAsyncDisposable
{
    /// <summary>Somebody may set the clock while a job waits, and no timer notices.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    private readonly TimeProvider _time;
    private readonly int _seed;
    private readonly Action<string, Exception> _failed;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    /// <param name="jobs">What to run.</param>
    /// <param name="time">The clock.</param>
    /// <param name="seed">Tells this mirror from others with the same jobs, where their runs are spread.</param>
    /// <param name="failed">Is told the job's name and what its run threw.</param>
    public JobClock(IReadOnlyCollection<ScheduledJob> jobs, TimeProvider time, int seed, Action<string, Exception> failed)
    {
        _time = time;
        _seed = seed;
        _failed = failed;
        _running = Task.WhenAll(jobs.Select(job => Task.Run(() => RepeatAsync(job))));
    }

    /// <summary>Starts nothing more, tells what is running to stop, and waits for it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }

    private async Task RepeatAsync(ScheduledJob job)
    {
        var last = job.LastStarted;
        while (await WaitAsync(job, last))
        {
            last = _time.GetUtcNow();
            try
            {
                await job.RunAsync(_stopping.Token);
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _failed(job.Name, e);
            }
        }
    }

    /// <returns>False where nothing is to be run any more.</returns>
    private async Task<bool> WaitAsync(ScheduledJob job, DateTimeOffset? last)
    {
        var due = job.Schedule.Due(job.Name, last, _time.GetUtcNow(), _seed);
        while (!_stopping.IsCancellationRequested)
        {
            var now = _time.GetUtcNow();
            if (last > now)
            {
                // The clock was put back, and what was reckoned from the time before that may be far away.
                last = now;
                due = job.Schedule.Due(job.Name, last, now, _seed);
            }

            var wait = due - now;
            if (wait <= TimeSpan.Zero)
            {
                return true;
            }

            // Timers leave out what is less than a millisecond, and would come too early.
            var whole = TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds));
            await Task.Delay(whole < LongestWait ? whole : LongestWait, _time, _stopping.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }
}
