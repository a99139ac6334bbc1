using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>The configuration file on disk: where it is looked for, and what it holds.</summary>
public static class ConfigurationFile
{
    public const string LocalName = "mirror.yml";

    public const string SystemPath = "/etc/mirror/mirror.yml";

    private const int MaxSize = 1024 * 1024;

    /// <summary>The file to use, named as a person would; null for the embedded default. One that was asked for is taken unseen.</summary>
    public static string? Find(string? explicitPath, string workingDirectory, string systemPath = SystemPath) =>
        explicitPath
        ?? (File.Exists(Path.Combine(workingDirectory, LocalName)) ? LocalName : File.Exists(systemPath) ? systemPath : null);

    /// <summary>Finds and reads the configuration. Whatever is wrong with it, or with the file, is in the answer.</summary>
    public static ConfigurationAnswer Load(string? explicitPath, string workingDirectory, IReadOnlyDictionary<string, string> environment)
    {
        if (Find(explicitPath, workingDirectory) is not { } file)
        {
            return ConfigurationReader.ReadEmbedded(workingDirectory, environment);
        }

        if (file.Length == 0)
        {
            return Refuse("--config", "names no file");
        }

        var content = TextFile.Read(workingDirectory, file, MaxSize);
        return content.Fault is null
            ? ConfigurationReader.Read(content.Value, file, Path.GetDirectoryName(Path.GetFullPath(file, workingDirectory))!, environment)
            : Refuse(file, content.Fault);
    }

    private static ConfigurationAnswer.Refused Refuse(string source, string message) =>
        new([new ConfigurationFault(new FaultPlace(source), string.Empty, message)]);
}
