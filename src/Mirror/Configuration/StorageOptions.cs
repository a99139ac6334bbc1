using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

public sealed record StorageOptions
{
    private static readonly StorageOptions Defaults = new();

    /// <summary>The data directory; absolute once it was read from a file.</summary>
    public string Path { get; init; } = "./data";

    internal static StorageOptions Read(ConfigurationSection section) => new()
    {
        Path = section.ReadPath(
            "path",
            Defaults.Path,
            "The directory that holds all data, on one file system. A relative path starts at the configuration file's directory."),
    };
}
