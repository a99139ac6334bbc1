using Microsoft.Extensions.Logging;
using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

public enum LogFormat
{
    Text,
    Json,
}

public sealed record ObservabilityOptions
{
    public LogOptions Log { get; init; } = new();

    internal static ObservabilityOptions Read(ConfigurationSection section) => new()
    {
        Log = section.ReadSection("log", LogOptions.Read, "The log, on standard output."),
    };
}

public sealed record LogOptions
{
    private static readonly LogOptions Defaults = new();

    public LogLevel Level { get; init; } = LogLevel.Information;

    public LogFormat Format { get; init; } = LogFormat.Text;

    internal static LogOptions Read(ConfigurationSection section) => new()
    {
        Level = section.Read(
            "level",
            Kinds.Choice(
                ("debug", LogLevel.Debug), ("info", LogLevel.Information), ("warn", LogLevel.Warning), ("error", LogLevel.Error)),
            Defaults.Level,
            "The least important events that are logged."),
        Format = section.Read(
            "format",
            Kinds.Choice(("text", LogFormat.Text), ("json", LogFormat.Json)),
            Defaults.Format,
            "Lines for people (text), or one JSON object per event (json)."),
    };
}
