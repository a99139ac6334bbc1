using System.Collections.Concurrent;
using Mirror.Sync.Scheduling;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Scheduling;

/// <summary>The clock begins at midnight.</summary>
public sealed class JobClockTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly ManualTime _time = new();
    private readonly ConcurrentQueue<string> _failures = [];

    [Fact]
    public async Task Where_the_clock_is_put_back_a_job_does_not_wait_until_it_says_again_what_it_said_before()
    {
        var runs = new Runs(_time);
        await using var clock = Clock(new ScheduledJob("a", new Schedule.Every(10 * Minute), LastStarted: null, runs.RunAsync));
        await runs.Ended(1);

        await _time.TimerArmed(10 * Minute);
        _time.SetClock(-TimeSpan.FromDays(30));
        await AdvanceAsync(10 * Minute);
        await AdvanceAsync(10 * Minute);

        await runs.Ended(2);
    }

    [Fact]
    public async Task A_job_runs_each_time_it_is_due()
    {
        var runs = new Runs(_time);
        await using var clock = Clock(new ScheduledJob("a", HalfPast, LastStarted: null, runs.RunAsync));

        for (var run = 1; run <= 3; run++)
        {
            await AdvanceAsync(run == 1 ? 30 * Minute : Hour);
            await runs.Ended(run);
        }

        Assert.Equal([Today(0, 30), Today(1, 30), Today(2, 30)], runs.Begun);
    }

    [Fact]
    public async Task An_interval_begins_at_once_if_the_job_never_ran_and_else_goes_on()
    {
        var (fresh, known) = (new Runs(_time), new Runs(_time));
        var schedule = new Schedule.Every(10 * Minute);
        await using var clock = Clock(
            new ScheduledJob("fresh", schedule, LastStarted: null, fresh.RunAsync),
            new ScheduledJob("known", schedule, Today(0, 0) - 3 * Minute, known.RunAsync));

        await fresh.Ended(1);
        await AdvanceAsync(7 * Minute);
        await known.Ended(1);

        Assert.Equal(Today(0, 0), Assert.Single(fresh.Begun));
        Assert.Equal(Today(0, 7), Assert.Single(known.Begun));
    }

    [Fact]
    public async Task What_was_missed_while_nothing_ran_is_made_up_for_once()
    {
        var runs = new Runs(_time);
        await using var clock = Clock(new ScheduledJob("a", HalfPast, Today(0, 0).AddDays(-3), runs.RunAsync));

        await runs.Ended(1);
        await AdvanceAsync(30 * Minute);
        await runs.Ended(2);

        Assert.Equal([Today(0, 0), Today(0, 30)], runs.Begun);
    }

    [Fact]
    public async Task A_job_is_never_started_while_it_runs_and_what_it_missed_then_is_made_up_for_once()
    {
        var runs = new Runs(_time);
        runs.Hold();
        await using var clock = Clock(new ScheduledJob("a", HalfPast, LastStarted: null, runs.RunAsync));
        await AdvanceAsync(30 * Minute);
        await runs.Started(1);

        _time.Advance(3.25 * Hour); // to 3:45, past 1:30, 2:30 and 3:30
        Assert.Single(runs.Begun);
        runs.Release();
        await runs.Ended(2);
        await AdvanceAsync(45 * Minute);
        await runs.Ended(3);

        Assert.Equal([Today(0, 30), Today(3, 45), Today(4, 30)], runs.Begun);
    }

    [Fact]
    public async Task A_job_that_runs_holds_up_no_other_one()
    {
        var (slow, other) = (new Runs(_time), new Runs(_time));
        slow.Hold();
        await using var clock = Clock(
            new ScheduledJob("slow", HalfPast, LastStarted: null, slow.RunAsync), new ScheduledJob("other", HalfPast, LastStarted: null, other.RunAsync));

        await AdvanceAsync(30 * Minute, timers: 2);
        await slow.Started(1);
        await other.Ended(1);
        await AdvanceAsync(Hour);
        await other.Ended(2);

        Assert.Single(slow.Begun);
        slow.Release();
    }

    [Fact]
    public async Task A_run_that_fails_is_told_and_the_next_one_comes()
    {
        var runs = new Runs(_time) { Failure = new IOException("the disk is gone") };
        await using var clock = Clock(new ScheduledJob("a", HalfPast, LastStarted: null, runs.RunAsync));

        await AdvanceAsync(30 * Minute);
        await runs.Ended(1);
        await AdvanceAsync(Hour);
        await runs.Ended(2);

        Assert.Equal("a: the disk is gone", _failures.First());
    }

    [Fact]
    public async Task Stopping_stops_what_runs_waits_for_it_and_starts_nothing_more()
    {
        var runs = new Runs(_time);
        runs.Hold();
        var clock = Clock(
            new ScheduledJob("a", HalfPast, LastStarted: null, runs.RunAsync),
            new ScheduledJob("b", new Schedule.Every(24 * Hour), Today(0, 0), new Runs(_time).RunAsync));
        await AdvanceAsync(30 * Minute);
        await runs.Started(1);

        await clock.DisposeAsync();

        await runs.Ended(1);
        Assert.Empty(_failures);
        Assert.Equal(0, _time.ArmedTimers);
    }

    [Fact]
    public async Task A_run_is_spread_and_the_next_one_counts_from_when_it_began()
    {
        var runs = new Runs(_time);
        var schedule = HalfPast with { Spread = 20 * Minute };
        await using var clock = Clock(new ScheduledJob("a", schedule, LastStarted: null, runs.RunAsync));
        var delay = schedule.DelayOf("a", Today(0, 30), seed: 7);

        await AdvanceAsync(30 * Minute + delay);
        await runs.Ended(1);

        Assert.NotEqual(TimeSpan.Zero, delay);
        Assert.Equal(Today(0, 30) + delay, Assert.Single(runs.Begun));
    }

    [Fact]
    public async Task A_long_wait_looks_at_the_clock_every_hour_as_somebody_may_set_it()
    {
        var runs = new Runs(_time);
        await using var clock = Clock(new ScheduledJob("a", new Schedule.Every(150 * Minute), Today(0, 0), runs.RunAsync));

        await AdvanceAsync(Hour);
        await AdvanceAsync(Hour);
        await AdvanceAsync(30 * Minute);
        await runs.Ended(1);

        Assert.Equal(Today(2, 30), Assert.Single(runs.Begun));
    }

    [Fact]
    public async Task A_run_that_is_remembered_from_the_future_does_not_keep_the_job_from_running()
    {
        var runs = new Runs(_time);
        await using var clock = Clock(new ScheduledJob("a", HalfPast, Today(0, 0).AddYears(10), runs.RunAsync));

        await AdvanceAsync(30 * Minute);
        await runs.Ended(1);
    }

    private static Schedule HalfPast =>
        CronExpression.TryParse("30 * * * *", out var cron, out var fault) ? new Schedule.Cron(cron, TimeZoneInfo.Utc) : throw new FormatException(fault);

    private static DateTimeOffset Today(int hour, int minute) => new(2026, 1, 1, hour, minute, 0, TimeSpan.Zero);

    private JobClock Clock(params ScheduledJob[] jobs) =>
        new(jobs, _time, seed: 7, (job, exception) => _failures.Enqueue($"{job}: {exception.Message}"));

    /// <summary>Moves the clock when a job waits for that.</summary>
    private async Task AdvanceAsync(TimeSpan by, int timers = 1)
    {
        await _time.TimerArmed(by);
        await Poll.UntilAsync(() => _time.ArmedTimers >= timers, $"{timers} jobs do not wait");
        _time.Advance(by);
    }

    /// <summary>What a job did.</summary>
    private sealed class Runs(TimeProvider time)
    {
        private readonly ConcurrentQueue<DateTimeOffset> _begun = [];
        private TaskCompletionSource? _hold;
        private int _ended;

        public IReadOnlyCollection<DateTimeOffset> Begun => _begun;

        public Exception? Failure { get; init; }

        public void Hold() => _hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _hold!.SetResult();

        public Task Started(int count) => Poll.UntilAsync(() => _begun.Count >= count, $"{count} runs did not begin");

        public Task Ended(int count) => Poll.UntilAsync(() => Volatile.Read(ref _ended) >= count, $"{count} runs did not end");

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            _begun.Enqueue(time.GetUtcNow());
            try
            {
                await (_hold?.Task ?? Task.CompletedTask).WaitAsync(cancellationToken);
                if (Failure is not null)
                {
                    throw Failure;
                }
            }
            finally
            {
                Interlocked.Increment(ref _ended);
                }
        }
    }
}
