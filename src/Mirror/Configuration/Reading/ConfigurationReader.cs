namespace Mirror.Configuration.Reading;

/// <summary>Reads a configuration from its text: one pass, all faults.</summary>
public static class ConfigurationReader
{
    public const string EmbeddedSource = "embedded default";

    private const string EmbeddedText = "registries: { docker.io: { default: true } }";

    private const string OpenText = $"{{ {EmbeddedText}, access: {{ anonymous: [pull, push] }} }}";

    private static readonly IReadOnlyDictionary<string, string> NoEnvironment = new Dictionary<string, string>();

    /// <param name="text">The YAML; may be anything.</param>
    /// <param name="file">What to call it in faults.</param>
    /// <param name="folder">An absolute path, where the relative ones in the text start.</param>
    /// <param name="environment">The environment variables.</param>
    public static ConfigurationAnswer Read(string text, string file, string folder, IReadOnlyDictionary<string, string> environment)
    {
        var document = new ConfigurationDocument(folder, environment);
        var node = YamlTree.Find(text, file, document.Faults);
        if (document.Faults.Count > 0)
        {
            // What is not YAML has no keys to judge.
            return new ConfigurationAnswer.Refused(document.Faults);
        }

        var root = ConfigurationSection.Root(document, file, node);
        var configuration = MirrorConfiguration.Read(root);
        root.ReportUnknownKeys();
        document.ReportUnknownOverrides();
        return document.Faults.Count == 0
            ? new ConfigurationAnswer.Loaded(configuration, file, root.Keys)
            : new ConfigurationAnswer.Refused(
                [.. document.Faults.OrderBy(f => f.Place.Line == 0).ThenBy(f => f.Place.Line).ThenBy(f => f.Place.Column)]);
    }

    /// <summary>
    /// What holds where there is no file: the embedded default and the overrides. Everybody may push only as long as that is this machine alone.
    /// </summary>
    public static ConfigurationAnswer ReadEmbedded(string folder, IReadOnlyDictionary<string, string> environment) =>
        Read(OpenText, EmbeddedSource, folder, environment) is var answer
            && answer is ConfigurationAnswer.Loaded { Configuration.Server.Listen: var listen } && !listen.All(address => address.IsThisMachines)
                ? Read(EmbeddedText, EmbeddedSource, folder, environment)
                : answer;

    /// <summary>A JSON schema of the file, for editors.</summary>
    public static string Schema()
    {
        var root = ConfigurationSection.Root(new ConfigurationDocument(string.Empty, NoEnvironment), string.Empty, null);
        MirrorConfiguration.Read(root);
        return ConfigurationSchema.Write(root.Keys);
    }

    internal static MirrorConfiguration Embedded() =>
        ((ConfigurationAnswer.Loaded)ReadEmbedded(string.Empty, NoEnvironment)).Configuration;
}
