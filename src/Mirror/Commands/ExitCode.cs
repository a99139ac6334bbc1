namespace Mirror.Commands;

/// <summary>What the process says to whoever started it.</summary>
public static class ExitCode
{
    public const int Done = 0;

    /// <summary>It could not be done; standard error says why.</summary>
    public const int Failed = 1;

    /// <summary>Wrong usage, or wrong configuration.</summary>
    public const int Misused = 2;

    /// <summary>Some of it was done; standard error says what was not, and why.</summary>
    public const int Partly = 3;
}
