namespace Mirror.Testing;

/// <summary>
/// A clock that only the test moves. Timers fire in the thread that calls <see cref="Advance"/>, in the order in which they are due, and
/// see the time at which they were due; a timer that is due at once fires on the thread pool, as a real one does.
/// </summary>
public sealed class ManualTime(DateTimeOffset start) : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<Timer> _armed = []; // in the order of arming, so that equal due times keep it
    private readonly Signal _changed = new();
    private DateTimeOffset _now = start;
    private TimeSpan _error;

    public ManualTime()
        : this(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    /// <summary>Waits of at most this length are over at once, without moving the clock: for waits that no test is about.</summary>
    public TimeSpan ShortWait { get; set; }

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>How many timers wait for their time.</summary>
    public int ArmedTimers
    {
        get
        {
            lock (_lock)
            {
                return _armed.Count;
            }
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
        {
            return _now + _error;
        }
    }

    public override long GetTimestamp()
    {
        lock (_lock)
        {
            return _now.UtcTicks;
        }
    }

    /// <summary>Somebody sets the clock: it says another time of day, and nothing else has happened.</summary>
    public void SetClock(TimeSpan forward)
    {
        lock (_lock)
        {
            _error += forward;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock and runs what is due on the way, also what a callback arms on the way.</summary>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        var target = new DateTimeOffset(GetTimestamp(), TimeSpan.Zero) + by;
        while (TakeDue(target) is { } timer)
        {
            timer.Callback();
        }
    }

    /// <summary>
    /// Completes when a timer is armed that is due in exactly <paramref name="dueIn"/>. Without it a test would move the clock before the
    /// code under test has begun to wait.
    /// </summary>
    public Task TimerArmed(TimeSpan dueIn) => _changed.Until(
        () =>
        {
            lock (_lock)
            {
                return _armed.Exists(timer => timer.Due - _now == dueIn);
            }
        },
        () => $"no timer was armed that is due in {dueIn}; {ArmedTimers} others are");

    /// <summary>The same for a wait that is random in part: a timer that is due in <paramref name="dueIn"/> or less.</summary>
    public Task TimerArmedWithin(TimeSpan dueIn) => _changed.Until(
        () =>
        {
            lock (_lock)
            {
                return _armed.Exists(timer => timer.Due - _now <= dueIn);
            }
        },
        () => $"no timer was armed that is due within {dueIn}; {ArmedTimers} others are");

    private Timer? TakeDue(DateTimeOffset target)
    {
        lock (_lock)
        {
            var next = _armed.MinBy(timer => timer.Due);
            if (next is null || next.Due > target)
            {
                _now = Later(_now, target);
                return null;
            }

            _now = Later(_now, next.Due);
            _armed.Remove(next);
            if (next.Period > TimeSpan.Zero)
            {
                next.Due += next.Period;
                _armed.Add(next);
            }

            return next;
        }
    }

    /// <summary>Two threads may advance at once; time never runs backwards.</summary>
    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private bool Arm(Timer timer, TimeSpan dueTime, TimeSpan period)
    {
        dueTime = dueTime <= ShortWait && dueTime > TimeSpan.Zero ? TimeSpan.Zero : dueTime;
        lock (_lock)
        {
            if (timer.Disposed)
            {
                return false;
            }

            _armed.Remove(timer);
            if (dueTime >= TimeSpan.Zero)
            {
                (timer.Due, timer.Period) = (_now + dueTime, period);
                _armed.Add(timer);
            }
        }

        _changed.Raise();
        if (dueTime == TimeSpan.Zero)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static time => time.Advance(TimeSpan.Zero), this, preferLocal: false);
        }

        return true;
    }

    private void Disarm(Timer timer)
    {
        lock (_lock)
        {
            timer.Disposed = true;
            _armed.Remove(timer);
        }
    }

    /// <summary>Its state belongs to the clock's lock.</summary>
    private sealed class Timer(ManualTime time, Action callback) : ITimer
    {
        public Action Callback { get; } = callback;

        public DateTimeOffset Due { get; set; }

        public TimeSpan Period { get; set; }

        public bool Disposed { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period) => time.Arm(this, dueTime, period);

        public void Dispose() => time.Disarm(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
