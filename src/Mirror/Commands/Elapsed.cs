namespace Mirror.Commands;

/// <summary>Spans of time for people.</summary>
internal static class Elapsed
{
    public static string Human(TimeSpan span) => span switch
    {
        { TotalSeconds: < 10 } => $"{span.TotalSeconds:F1}s",
        { TotalMinutes: < 1 } => $"{span.Seconds}s",
        { TotalHours: < 1 } => $"{span.Minutes}m {span.Seconds:00}s",
        { TotalDays: < 1 } => $"{span.Hours}h {span.Minutes:00}m",
        _ => $"{span.Days}d {span.Hours}h",
    };
}
