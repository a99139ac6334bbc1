namespace Mirror.Commands;

/// <summary>What the process says to whoever started it.</summary>
public static class ExitCode
{
    public const int Done = 0;

    /// <summary>It could not be done; standard error says why.</summary>
    public const int Failed = 1;

    /// <summary>Wrong usage, or wrong configuration.</summary>
    public const int Misused = 2;
}
