using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace Mirror.Sync.Scheduling;

/// <summary>
/// <c>minute hour day-of-month month day-of-week</c>, as cron has it, with seconds before them where there are six fields. A field is
/// <c>*</c>, a value, a range, a step (<c>*/15</c>, <c>8-18/2</c>), or several of these with commas; months and days of the week have
/// their English names too, and Sunday is 0 and 7. Where both kinds of days are limited, one of them is enough. <c>?</c> is <c>*</c>.
/// </summary>
public sealed class CronExpression
{
    /// <summary>
    /// February 29th on a given kind of day comes round within so many years, also where a century leaves it out.
    /// </summary>
    private const int MaxYears = 40;

    private static readonly Field[] Fields =
    [
        new("second", 0, 59, []),
        new("minute", 0, 59, []),
        new("hour", 0, 23, []),
        new("day of the month", 1, 31, []),
        new("month", 1, 12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
        new("day of the week", 0, 7, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ];

    private readonly string _text;
    private readonly ulong[] _values;
    private readonly bool _eitherDay;

    private CronExpression(string text, ulong[] values, bool eitherDay) => (_text, _values, _eitherDay) = (text, values, eitherDay);

    /// <summary>
    /// Whether it holds in every hour, so that it is about how much time passes and not about what the clock on the wall says.
    /// </summary>
    internal bool IsHourly => BitOperations.PopCount(_values[2]) == 24;

    /// <param name="text">The fields.</param>
    /// <param name="cron">The expression, if the answer is true.</param>
    /// <param name="fault">Otherwise what is wrong with it, for a person to read.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out CronExpression? cron, [NotNullWhen(false)] out string? fault)
    {
        cron = null;
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is not (5 or 6))
        {
            fault = $"it has {words.Length} fields, not five or six";
            return false;
        }

        var values = new ulong[Fields.Length];
        values[0] = 1;
        for (var i = 0; i < words.Length; i++)
        {
            var field = i + Fields.Length - words.Length;
            if (!Fields[field].TryParse(words[i], out values[field]))
            {
                fault = $"'{words[i]}' is no {Fields[field].Name}";
                return false;
            }
        }

        // 7 is Sunday too.
        values[5] = (values[5] | values[5] >> 7) & 0x7f;
        var eitherDay = words[^3][0] is not ('*' or '?') && words[^1][0] is not ('*' or '?');
        var parsed = new CronExpression(string.Join(' ', words), values, eitherDay);
        fault = parsed.FindNext(new DateTime(2000, 1, 1)) is null ? "there is no such day" : null;
        cron = fault is null ? parsed : null;
        return fault is null;
    }

    /// <summary>The first time by the clock on the wall that is not before <paramref name="from"/>.</summary>
    internal DateTime? FindNext(DateTime from)
    {
        var last = Math.Min(from.Year + MaxYears, DateTime.MaxValue.Year - 1);
        // Up to a whole second.
        var begun = from.Ticks % TimeSpan.TicksPerSecond;
        var start = begun == 0 ? from : from.AddTicks(TimeSpan.TicksPerSecond - begun);
        for (var day = start.Date; day.Year <= last;)
        {
            if (!Has(4, day.Month))
            {
                day = new DateTime(day.Year, day.Month, 1).AddMonths(1);
            }
            else if (IsDay(day) && FindTime(day == start.Date ? start.TimeOfDay : TimeSpan.Zero) is { } time)
            {
                return day + time;
            }
            else
            {
                day = day.AddDays(1);
            }
        }

        return null;
    }

    public override string ToString() => _text;

    private bool Has(int field, int value) => (_values[field] >> value & 1) != 0;

    private bool IsDay(DateTime day) => _eitherDay
        ? Has(3, day.Day) || Has(5, (int)day.DayOfWeek)
        : Has(3, day.Day) && Has(5, (int)day.DayOfWeek);

    private TimeSpan? FindTime(TimeSpan from)
    {
        for (var hour = Next(2, from.Hours); hour is not null; hour = Next(2, hour.Value + 1))
        {
            var isFirst = hour == from.Hours;
            for (var minute = Next(1, isFirst ? from.Minutes : 0); minute is not null; minute = Next(1, minute.Value + 1))
            {
                if (Next(0, isFirst && minute == from.Minutes ? from.Seconds : 0) is { } second)
                {
                    return new TimeSpan(hour.Value, minute.Value, second);
                }
            }
        }

        return null;
    }

    /// <summary>The first value of a field that is not below another one.</summary>
    private int? Next(int field, int from) =>
        from < 64 && _values[field] >> from is > 0 and var rest ? from + BitOperations.TrailingZeroCount(rest) : null;

    /// <param name="Name">What it is, for people.</param>
    /// <param name="Min">The least value.</param>
    /// <param name="Max">The greatest.</param>
    /// <param name="Names">Of the values from the least on, where they have names.</param>
    private sealed record Field(string Name, int Min, int Max, string[] Names)
    {
        public bool TryParse(string text, out ulong values)
        {
            values = 0;
            foreach (var part in text.Split(','))
            {
                if (!TryAdd(part, ref values))
                {
                    return false;
                }
            }

            return true;
        }

        private bool TryAdd(string part, ref ulong values)
        {
            var slash = part.IndexOf('/', StringComparison.Ordinal);
            var range = slash < 0 ? part : part[..slash];
            var step = 1;
            if (slash >= 0 && (!TryReadNumber(part[(slash + 1)..], out step) || step < 1)
                || !TryReadRange(range, isOpen: slash >= 0, out var first, out var last))
            {
                return false;
            }

            for (var value = first; value <= last; value += step)
            {
                values |= 1UL << value;
            }

            return true;
        }

        /// <param name="text">What stands before a step.</param>
        /// <param name="isOpen">Whether one value means from there on: <c>5/15</c>.</param>
        /// <param name="first">Where it begins.</param>
        /// <param name="last">Where it ends.</param>
        private bool TryReadRange(string text, bool isOpen, out int first, out int last)
        {
            // The seventh day of the week is the first again.
            var max = Max == 7 ? 6 : Max;
            (first, last) = (Min, max);
            if (text == "*" || text == "?" && Min == 1 && Max == 31 || text == "?" && Max == 7)
            {
                return true;
            }

            var dash = text.IndexOf('-', StringComparison.Ordinal);
            if (!TryReadValue(dash < 0 ? text : text[..dash], out first))
            {
                return false;
            }

            last = isOpen ? max : first;
            if (dash < 0)
            {
                return true;
            }

            if (!TryReadValue(text[(dash + 1)..], out last))
            {
                return false;
            }

            // sat-sun
            last = last == 0 && Max == 7 && first > 0 ? 7 : last;
            return first <= last;
        }

        private bool TryReadValue(string text, out int value)
        {
            var named = Array.FindIndex(Names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
            value = named + Min;
            return named >= 0 || TryReadNumber(text, out value) && value >= Min && value <= Max;
        }

        private static bool TryReadNumber(string text, out int number) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= 1000;
    }
}
