using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Sync.Scheduling;

/// <summary>When a job is to run.</summary>
public abstract record Schedule
{
    private Schedule()
    {
    }

    /// <summary>Each run begins later than it would by less than this, so that not everybody comes at once.</summary>
    public TimeSpan Spread { get; init; }

    /// <summary>When the first run would be of a job that never ran.</summary>
    public abstract DateTimeOffset First(DateTimeOffset now);

    /// <summary>The first time that is later than <paramref name="time"/>, before it is spread.</summary>
    public abstract DateTimeOffset NextAfter(DateTimeOffset time);

    /// <summary>When a job is to run next, spread.</summary>
    /// <param name="job">The job's name.</param>
    /// <param name="last">When its last run began; null where none is remembered.</param>
    /// <param name="now">The time.</param>
    /// <param name="seed">Tells this mirror from others with the same jobs.</param>
    public DateTimeOffset Due(string job, DateTimeOffset? last, DateTimeOffset now, int seed)
    {
        // What has begun in the future was written by a clock that was wrong.
        var occurrence = last is { } started ? NextAfter(started < now ? started : now) : First(now);
        return occurrence < DateTimeOffset.MaxValue - Spread ? occurrence + DelayOf(job, occurrence, seed) : occurrence;
    }

    /// <summary>
    /// By how many whole milliseconds a run is put off: random from one job and run to the other, and the same whenever it is asked.
    /// </summary>
    /// <param name="job">The job's name.</param>
    /// <param name="occurrence">What <see cref="NextAfter"/> said.</param>
    /// <param name="seed">Tells this mirror from others with the same jobs.</param>
    public TimeSpan DelayOf(string job, DateTimeOffset occurrence, int seed)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {occurrence.UtcTicks} {job}"));
        var share = BinaryPrimitives.ReadUInt32LittleEndian(hash) / (uint.MaxValue + 1.0);
        return TimeSpan.FromMilliseconds((long)(Spread.TotalMilliseconds * share));
    }

    /// <summary>A time after the last run began.</summary>
    public sealed record Every(TimeSpan Interval) : Schedule
    {
        public override DateTimeOffset First(DateTimeOffset now) => now;

        public override DateTimeOffset NextAfter(DateTimeOffset time) => time + Interval;
    }

    /// <summary>
    /// When the clock on the wall in a time zone says so. Where that clock is put forward, what falls into the gap happens at its end;
    /// where it is put back, what would happen twice happens the first time. What happens in every hour goes on with the time that passes
    /// instead.
    /// </summary>
    public sealed record Cron(CronExpression Expression, TimeZoneInfo TimeZone) : Schedule
    {
        private static readonly TimeSpan Day = TimeSpan.FromDays(1);

        public override DateTimeOffset First(DateTimeOffset now) => NextAfter(now);

        public override DateTimeOffset NextAfter(DateTimeOffset time)
        {
            // Before the clock is put back it is later on the wall than it will be again.
            var offset = TimeZone.GetUtcOffset(time);
            var slack = TimeSpan.FromTicks(Math.Max(0, (offset - TimeZone.GetUtcOffset(time + Day)).Ticks));
            DateTimeOffset? next = null;
            for (var wall = Expression.FindNext(time.ToOffset(offset).DateTime - slack);
                wall is { } found && (next is null || InstantsOf(found).Min() <= next);
                wall = Expression.FindNext(found.AddSeconds(1)))
            {
                foreach (var instant in Times(found).Where(instant => instant > time && !(instant >= next)))
                {
                    next = instant;
                }
            }

            return next ?? DateTimeOffset.MaxValue;
        }

        /// <summary>When it happens that is due at this time on the wall.</summary>
        private DateTimeOffset[] Times(DateTime wall)
        {
            var instants = InstantsOf(wall);
            return TimeZone.IsInvalidTime(wall) && Expression.IsHourly ? []
                : TimeZone.IsAmbiguousTime(wall) && Expression.IsHourly ? instants
                : [instants.Min()];
        }

        /// <summary>When the clock on the wall says this: once, twice, or not, and then the moment at which it is past that.</summary>
        private DateTimeOffset[] InstantsOf(DateTime wall)
        {
            // Clocks are put forward to a whole minute.
            while (TimeZone.IsInvalidTime(wall))
            {
                wall = wall.AddTicks(TimeSpan.TicksPerMinute - wall.Ticks % TimeSpan.TicksPerMinute);
            }

            return TimeZone.IsAmbiguousTime(wall)
                ? [.. TimeZone.GetAmbiguousTimeOffsets(wall).Select(offset => new DateTimeOffset(wall, offset))]
                : [new DateTimeOffset(wall, TimeZone.GetUtcOffset(wall))];
        }
    }
}
