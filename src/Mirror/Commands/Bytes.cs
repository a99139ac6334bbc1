namespace Mirror.Commands;

/// <summary>Sizes for people.</summary>
internal static class Bytes
{
    private static readonly string[] Units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    public static string Human(long bytes)
    {
        var (value, unit) = (bytes / 1024.0, 0);
        // What would be rounded to 1024.0 is 1.0 of the next unit.
        while (value >= 1023.95 && unit < Units.Length - 1)
        {
            (value, unit) = (value / 1024, unit + 1);
        }

        return bytes < 1024 ? $"{bytes} B" : $"{value:F1} {Units[unit]}";
    }
}
