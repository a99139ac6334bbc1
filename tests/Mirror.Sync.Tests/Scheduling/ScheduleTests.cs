using System.Globalization;
using Mirror.Sync.Scheduling;

namespace Mirror.Sync.Tests.Scheduling;

public sealed class ScheduleTests
{
    /// <summary>An hour before UTC; from the last Sunday of March, 2:00, to that of October, 3:00, two hours.</summary>
    private static readonly TimeZoneInfo Berlin = TimeZoneInfo.CreateCustomTimeZone("Berlin", TimeSpan.FromHours(1), null, null, null,
    [
        TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(
            DateTime.MinValue.Date,
            DateTime.MaxValue.Date,
            TimeSpan.FromHours(1),
            TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 2, 0, 0), 3, 5, DayOfWeek.Sunday),
            TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 3, 0, 0), 10, 5, DayOfWeek.Sunday)),
    ]);

    [Theory]
    [InlineData("*/15 * * * *", "2026-01-01 00:00", "2026-01-01 00:15")]
    [InlineData("*/15 * * * *", "2026-01-01 00:14:59", "2026-01-01 00:15")]
    [InlineData("0 */6 * * *", "2026-01-01 01:00", "2026-01-01 06:00")]
    [InlineData("0 0 */6 * * *", "2026-01-01 18:00", "2026-01-02 00:00")]
    [InlineData("30 5 10 * * *", "2026-01-01 10:05:29", "2026-01-01 10:05:30")]
    [InlineData("* * * * * *", "2026-01-01 00:00:00.5", "2026-01-01 00:00:01")]
    [InlineData("5/20 * * * *", "2026-01-01 00:00", "2026-01-01 00:05")]
    [InlineData("5/20 * * * *", "2026-01-01 00:45", "2026-01-01 01:05")]
    [InlineData("0 8-18/5 * * *", "2026-01-01 13:00", "2026-01-01 18:00")]
    [InlineData("0 1,3 * * *", "2026-01-01 01:00", "2026-01-01 03:00")]
    [InlineData("0 0 * * 0", "2026-01-01 00:00", "2026-01-04 00:00")] // Sundays
    [InlineData("0 0 * * 7", "2026-01-01 00:00", "2026-01-04 00:00")]
    [InlineData("0 0 * * sun", "2026-01-01 00:00", "2026-01-04 00:00")]
    [InlineData("0 0 * * 1", "2026-01-01 00:00", "2026-01-05 00:00")]
    [InlineData("0 0 0 * * 1", "2026-01-01 00:00", "2026-01-05 00:00")] // also with seconds
    [InlineData("0 0 * * MON-FRI", "2026-01-02 00:00", "2026-01-05 00:00")]
    [InlineData("0 0 * * sat-sun", "2026-01-03 00:00", "2026-01-04 00:00")]
    [InlineData("0 0 * * 5-7", "2026-01-03 00:00", "2026-01-04 00:00")]
    [InlineData("0 0 1 feb *", "2026-02-01 00:00", "2027-02-01 00:00")]
    [InlineData("0 0 31 * *", "2026-01-31 00:00", "2026-03-31 00:00")]
    [InlineData("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00")]
    [InlineData("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00")]
    [InlineData("0 0 13 * 5", "2026-01-01 00:00", "2026-01-02 00:00")] // the 13th, and Fridays
    [InlineData("0 0 13 * 5", "2026-01-09 00:00", "2026-01-13 00:00")]
    [InlineData("0 0 13 * *", "2026-01-01 00:00", "2026-01-13 00:00")]
    [InlineData("0 0 2 * * ?", "2026-01-01 03:00", "2026-01-02 02:00")]
    [InlineData("59 23 31 12 *", "2025-12-31 23:59", "2026-12-31 23:59")]
    public void Cron_has_its_next_time(string cron, string after, string next) => Assert.Equal(Utc(next), Cron(cron, TimeZoneInfo.Utc).NextAfter(Utc(after)));

    [Theory]
    [InlineData("", "it has 0 fields, not five or six")]
    [InlineData("* * * *", "it has 4 fields, not five or six")]
    [InlineData("* * * * * * *", "it has 7 fields, not five or six")]
    [InlineData("60 * * * *", "'60' is no minute")]
    [InlineData("* 24 * * *", "'24' is no hour")]
    [InlineData("* * 0 * *", "'0' is no day of the month")]
    [InlineData("* * * 13 *", "'13' is no month")]
    [InlineData("* * * * 8", "'8' is no day of the week")]
    [InlineData("60 * * * * *", "'60' is no second")]
    [InlineData("*/0 * * * *", "'*/0' is no minute")]
    [InlineData("5-1 * * * *", "'5-1' is no minute")]
    [InlineData("1,,2 * * * *", "'1,,2' is no minute")]
    [InlineData("? * * * *", "'?' is no minute")]
    [InlineData("* * L * *", "'L' is no day of the month")]
    [InlineData("* * * * 5#2", "'5#2' is no day of the week")]
    [InlineData("-1 * * * *", "'-1' is no minute")]
    [InlineData("0 0 30 2 *", "there is no such day")]
    public void What_is_no_cron_expression_is_refused_with_the_reason(string text, string reason)
    {
        Assert.False(CronExpression.TryParse(text, out _, out var fault));
        Assert.Equal(reason, fault);
    }

    [Theory]
    // 2026-03-29: after 01:59 comes 03:00.
    [InlineData("30 2 * * *", "2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00")]
    [InlineData("30 2 * * *", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00")]
    [InlineData("*/20 2 * * *", "2026-03-28T02:40+01:00", "2026-03-29T03:00+02:00")] // once, not three times
    [InlineData("*/20 2 * * *", "2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00")]
    [InlineData("0 2,3 * * *", "2026-03-29T00:00+01:00", "2026-03-29T03:00+02:00")] // both are that moment
    [InlineData("0 2,3 * * *", "2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00")]
    [InlineData("30 * * * *", "2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00")] // an hour later
    [InlineData("*/20 * * * *", "2026-03-29T01:40+01:00", "2026-03-29T03:00+02:00")]
    [InlineData("0 4 * * *", "2026-03-28T04:00+01:00", "2026-03-29T04:00+02:00")]
    public void What_falls_into_the_hour_that_is_left_out_happens_once_at_its_end(string cron, string after, string next) =>
        Assert.Equal(Time(next), Cron(cron, Berlin).NextAfter(Time(after)));

    [Theory]
    // 2026-10-25: after 02:59 comes 02:00 again.
    [InlineData("30 2 * * *", "2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00")]
    [InlineData("30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00")] // not again
    [InlineData("30 2 * * *", "2026-10-25T02:10+01:00", "2026-10-26T02:30+01:00")]
    [InlineData("0,30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T02:00+01:00")]
    [InlineData("30 * * * *", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00")] // an hour later
    [InlineData("30 * * * *", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00")]
    [InlineData("*/20 * * * *", "2026-10-25T02:40+02:00", "2026-10-25T02:00+01:00")]
    [InlineData("*/20 * * * *", "2026-10-25T02:00+01:00", "2026-10-25T02:20+01:00")]
    [InlineData("*/20 * * * *", "2026-10-25T02:20+02:00", "2026-10-25T02:40+02:00")]
    [InlineData("0 3 * * *", "2026-10-25T02:30+02:00", "2026-10-25T03:00+01:00")]
    public void What_falls_into_the_hour_that_comes_twice_happens_the_first_time(string cron, string after, string next) =>
        Assert.Equal(Time(next), Cron(cron, Berlin).NextAfter(Time(after)));

    [Theory]
    [InlineData("30 * * * *", 8760)]
    [InlineData("*/20 * * * *", 3 * 8760)]
    [InlineData("30 2 * * *", 365)]
    [InlineData("0 3 * * *", 365)]
    [InlineData("0 */6 * * *", 4 * 365)]
    public void A_year_with_both_changes_of_the_clock_has_as_many_runs_as_any_other(string cron, int runs)
    {
        var (schedule, end, count) = (Cron(cron, Berlin), Time("2027-01-01T00:00+01:00"), 0);
        for (var time = schedule.NextAfter(Time("2026-01-01T00:00+01:00").AddTicks(-1)); time < end; time = schedule.NextAfter(time))
        {
            count++;
        }

        Assert.Equal(runs, count);
    }

    [Fact]
    public void An_interval_counts_from_the_last_run_and_begins_at_once()
    {
        var schedule = new Schedule.Every(TimeSpan.FromMinutes(15));

        Assert.Equal(Utc("2026-01-01 00:22"), schedule.NextAfter(Utc("2026-01-01 00:07")));
        Assert.Equal(Utc("2026-01-01 00:07"), schedule.First(Utc("2026-01-01 00:07")));
    }

    [Fact]
    public void Runs_are_spread_differently_by_job_time_and_mirror_and_the_same_when_asked_again()
    {
        var schedule = new Schedule.Every(TimeSpan.FromHours(1)) { Spread = TimeSpan.FromMinutes(5) };
        var at = Utc("2026-01-01 00:00");

        var delays = Enumerable.Range(0, 1000).Select(hour => schedule.DelayOf("a", at.AddHours(hour), seed: 1)).ToList();

        Assert.All(delays, delay => Assert.InRange(delay, TimeSpan.Zero, TimeSpan.FromMinutes(5)));
        // All fifths of the time have about as many.
        Assert.All(delays.GroupBy(delay => (int)delay.TotalMinutes), fifth => Assert.InRange(fifth.Count(), 120, 280));
        Assert.Equal(delays[0], schedule.DelayOf("a", at.ToOffset(TimeSpan.FromHours(2)), seed: 1));
        Assert.NotEqual(delays[0], schedule.DelayOf("b", at, seed: 1));
        Assert.NotEqual(delays[0], schedule.DelayOf("a", at, seed: 2));
        Assert.Equal(TimeSpan.Zero, new Schedule.Every(TimeSpan.FromHours(1)).DelayOf("a", at, seed: 1));
    }

    private static Schedule.Cron Cron(string text, TimeZoneInfo zone) =>
        CronExpression.TryParse(text, out var cron, out var fault) ? new Schedule.Cron(cron, zone) : throw new FormatException(fault);

    private static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    private static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
