using System.Text.Json.Nodes;
using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Scheduling;

namespace Mirror.Configuration.Reading;

/// <summary>The kinds of values that jobs have.</summary>
internal static class SyncKinds
{
    private const string EveryPrefix = "every ";

    public static Kind<string> JobName { get; } = new(
        text => text.Length is > 0 and <= 100 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') && char.IsAsciiLetterOrDigit(text[0])
            ? Parsed.Right(text)
            : Parsed.Wrong<string>("is not a job's name: write letters, digits, dots, underscores and hyphens, such as base-images"),
        name => name,
        () => Text("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"));

#if LITEDB
    public static Kind<SyncStateKind> State { get; } = Kinds.Choice(("sqlite", SyncStateKind.Sqlite), ("litedb", SyncStateKind.LiteDb));
#else
    private static readonly Kind<SyncStateKind> Sqlite = Kinds.Choice(("sqlite", SyncStateKind.Sqlite));

    public static Kind<SyncStateKind> State { get; } = new(
        text => text == "litedb"
            ? Parsed.Wrong<SyncStateKind>("is not in this build: build Mirror with -p:LiteDb=true, or write sqlite")
            : Sqlite.Parse(text),
        Sqlite.Write,
        Sqlite.Schema);
#endif

    public static Kind<Endpoint> Endpoint { get; } = new(
        text => Sync.Jobs.Endpoint.TryParse(text, out var endpoint)
            ? Parsed.Right(endpoint)
            : Parsed.Wrong<Endpoint>(
                "is not where images are: write a registry's name, perhaps with a path (registry.example.com/mirror), or local, local/path or cache"),
        endpoint => endpoint.ToString()!,
        () => Text("^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9._-]+)*$"));

    public static Kind<RepositoryFilter> RepositoryFilter { get; } = new(
        text => Sync.Jobs.RepositoryFilter.TryParse(text, out var filter, out var fault)
            ? Parsed.Right(filter)
            : Parsed.Wrong<RepositoryFilter>(
                $"does not say which repositories ({Printable.Of(fault)}): write library/alpine, library/*, team-*/** or regex:team-[ab]/.*"),
        filter => filter.ToString()!,
        () => Text());

    public static Kind<TagFilter> TagFilter { get; } = new(
        text => Sync.Jobs.TagFilter.TryParse(text, out var filter, out var fault)
            ? Parsed.Right(filter)
            : Parsed.Wrong<TagFilter>($"does not say which tags ({Printable.Of(fault)}): write v1.*, regex:v\\d+ or semver:>=1.2 <2"),
        filter => filter.ToString()!,
        () => Text());

    public static Kind<Platform> Platform { get; } = new(
        text => text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '/' or '.' or '-' or '_')
                && Oci.Platform.TryParse(text, out var platform)
            ? Parsed.Right(platform!)
            : Parsed.Wrong<Platform>("is not a platform: write linux/amd64 or linux/arm/v7"),
        platform => platform.ToString(),
        () => Text("^[a-z0-9._-]+/[a-z0-9._-]+(/[a-z0-9._-]+)?$"));

    public static Kind<DeleteLimit> DeleteLimit { get; } = new(
        text => Sync.Jobs.DeleteLimit.TryParse(text, out var limit)
            ? Parsed.Right(limit)
            : Parsed.Wrong<DeleteLimit>("does not say how many tags: write 1% to 100%, or a number"),
        limit => limit.ToString(),
        () => new JsonObject { ["type"] = new JsonArray("string", "integer"), ["pattern"] = "^[0-9]+%?$", ["minimum"] = 1 });

    /// <summary><c>every 15m</c>, or cron, which here goes by UTC.</summary>
    public static Kind<Schedule> Schedule { get; } = new(
        text => text.StartsWith(EveryPrefix, StringComparison.Ordinal)
            ? ParseInterval(text[EveryPrefix.Length..].Trim())
            : CronExpression.TryParse(text, out var cron, out var fault)
                ? Parsed.Right<Schedule>(new Schedule.Cron(cron, TimeZoneInfo.Utc))
                : Parsed.Wrong<Schedule>($"is not a schedule ({Printable.Of(fault)}): write every 15m, or five or six fields of cron, such as 0 */6 * * *"),
        schedule => schedule switch
        {
            Schedule.Every every => EveryPrefix + Durations.Write(every.Interval),
            Schedule.Cron cron => cron.Expression.ToString(),
            _ => throw new System.Diagnostics.UnreachableException(),
        },
        () => Text());

    public static Kind<TimeZoneInfo> TimeZone { get; } = new(
        text => TimeZoneInfo.TryFindSystemTimeZoneById(text, out var zone)
            ? Parsed.Right(zone)
            : Parsed.Wrong<TimeZoneInfo>(
                text.StartsWith("UTC", StringComparison.Ordinal) || !text.Contains('/')
                    ? "is not a time zone: write UTC or one like Europe/Berlin"
                    : "is not a time zone that this system knows: write one like Europe/Berlin, and see that tzdata is installed"),
        zone => zone.Id,
        () => Text());

    private static Parsed<Schedule> ParseInterval(string text) => Durations.Parse(text) switch
    {
        { Fault: { } fault } => Parsed.Wrong<Schedule>($"is not a schedule: '{Printable.Of(text)}' {fault}"),
        { Value: var interval } when interval < TimeSpan.FromSeconds(1) => Parsed.Wrong<Schedule>("is too often: write at least every 1s"),
        { Value: var interval } => Parsed.Right<Schedule>(new Schedule.Every(interval)),
    };

    private static JsonObject Text(string? pattern = null)
    {
        var schema = new JsonObject { ["type"] = "string" };
        if (pattern is not null)
        {
            schema["pattern"] = pattern;
        }

        return schema;
    }
}
