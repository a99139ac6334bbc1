using Mirror.Testing;

namespace Mirror.Tests.Testing;

public sealed class ManualTimeTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ManualTime _time = new();

    [Fact]
    public void A_timer_fires_when_its_time_has_come()
    {
        var fired = 0;
        using var timer = _time.CreateTimer(_ => fired++, null, 2 * Second, Timeout.InfiniteTimeSpan);

        _time.Advance(Second);
        Assert.Equal(0, fired);
        _time.Advance(Second);
        Assert.Equal(1, fired);
        _time.Advance(10 * Second);
        Assert.Equal(1, fired);
    }

    [Fact]
    public void Timers_fire_in_the_order_of_their_times_and_see_them()
    {
        var start = _time.GetUtcNow();
        var seen = new List<string>();
        void Arm(string name, int seconds, int period) => _time.CreateTimer(
            _ => seen.Add($"{name}{(_time.GetUtcNow() - start).TotalSeconds}"), null, seconds * Second, period * Second);

        Arm("late", 3, 0);
        Arm("early", 1, 0);
        Arm("again", 2, 2);
        _time.Advance(6 * Second);

        Assert.Equal(["early1", "again2", "late3", "again4", "again6"], seen);
        Assert.Equal(6 * Second, _time.GetUtcNow() - start);
    }

    [Fact]
    public void A_timer_that_a_callback_arms_fires_in_the_same_advance_if_it_is_due()
    {
        var seen = new List<int>();
        _time.CreateTimer(
            _ =>
            {
                seen.Add(1);
                _time.CreateTimer(_ => seen.Add(2), null, Second, Timeout.InfiniteTimeSpan);
            },
            null,
            Second,
            Timeout.InfiniteTimeSpan);

        _time.Advance(2 * Second);

        Assert.Equal([1, 2], seen);
    }

    [Fact]
    public void A_disposed_timer_does_not_fire()
    {
        var timer = _time.CreateTimer(_ => Assert.Fail("It fired."), null, Second, Second);
        timer.Dispose();

        _time.Advance(5 * Second);

        Assert.False(timer.Change(Second, Second));
        Assert.Equal(0, _time.ArmedTimers);
    }

    [Fact]
    public async Task A_timer_that_is_due_at_once_needs_no_advance()
    {
        var fired = new TaskCompletionSource();
        using var timer = _time.CreateTimer(_ => fired.SetResult(), null, TimeSpan.Zero, Timeout.InfiniteTimeSpan);

        await fired.Task;
    }

    [Fact]
    public async Task A_delay_ends_when_its_time_has_come()
    {
        var delay = Task.Delay(Second, _time);

        _time.Advance(0.999 * Second);
        Assert.False(delay.IsCompleted);
        _time.Advance(0.001 * Second);
        await delay;
    }

    [Fact]
    public void A_token_is_cancelled_when_its_time_has_come()
    {
        using var source = new CancellationTokenSource(Second, _time);
        source.CancelAfter(2 * Second);

        _time.Advance(Second);
        Assert.False(source.IsCancellationRequested);
        _time.Advance(Second);
        Assert.True(source.IsCancellationRequested);
    }

    [Fact]
    public async Task A_test_can_wait_until_somebody_waits()
    {
        var armed = _time.TimerArmed(5 * Second);
        var delay = Task.Run(() => Task.Delay(5 * Second, _time));

        await armed;
        _time.Advance(5 * Second);

        await delay;
    }

    [Fact]
    public void Elapsed_time_is_what_was_advanced()
    {
        var start = _time.GetTimestamp();
        _time.Advance(7 * Second);

        Assert.Equal(7 * Second, _time.GetElapsedTime(start));
    }
}
