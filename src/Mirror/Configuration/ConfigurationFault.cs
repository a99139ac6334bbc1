namespace Mirror.Configuration;

/// <summary>Where a fault is: a position in a file, counted from 1, or (without line) a whole file or an environment variable.</summary>
public readonly record struct FaultPlace(string Source, int Line = 0, int Column = 0)
{
    public override string ToString() => Line == 0 ? Source : $"{Source}:{Line}:{Column}";
}

/// <summary>Something in the configuration that stops the start.</summary>
/// <param name="Place">Where to look.</param>
/// <param name="Key">The key's path, such as <c>registries.docker.io.url</c>; empty where no key is to blame.</param>
/// <param name="Message">What is wrong and what to write.</param>
public sealed record ConfigurationFault(FaultPlace Place, string Key, string Message)
{
    public override string ToString() => Key.Length == 0 ? $"{Place}: {Message}" : $"{Place}: {Key}: {Message}";
}
