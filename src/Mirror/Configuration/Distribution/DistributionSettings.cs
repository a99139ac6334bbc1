using Mirror.Configuration.Reading;

namespace Mirror.Configuration.Distribution;

/// <summary>A value in the configuration of CNCF Distribution.</summary>
/// <param name="Key">Its path in lower case, such as <c>http.tls.clientcas.0</c>: items of a list have numbers.</param>
/// <param name="Text">The value; null where none is given.</param>
/// <param name="Place">In the file, or a variable of the environment.</param>
internal sealed record DistributionSetting(string Key, string? Text, FaultPlace Place);

/// <summary>
/// What CNCF Distribution (<c>registry:2</c>) is told: a YAML file, and variables of the environment, whose names are the keys' paths.
/// </summary>
internal static class DistributionSettings
{
    /// <summary>Where Distribution itself looks for the name of its file.</summary>
    public const string FileVariable = "REGISTRY_CONFIGURATION_PATH";

    public const string DefaultSource = "registry:2's default";

    /// <summary>What the image has where nobody gives it a file.</summary>
    public const string DefaultText = """
        version: 0.1
        log: { fields: { service: registry } }
        storage: { cache: { blobdescriptor: inmemory }, filesystem: { rootdirectory: /var/lib/registry } }
        http: { addr: ":5000", headers: { X-Content-Type-Options: [nosniff] } }
        health: { storagedriver: { enabled: true, interval: 10s, threshold: 3 } }
        """;

    private const string Prefix = "REGISTRY_";

    /// <param name="text">The file's.</param>
    /// <param name="source">What to call it.</param>
    /// <param name="environment">Variables win over the file.</param>
    /// <param name="faults">What is no YAML.</param>
    /// <returns>The values in the order of the file, those of the environment behind them.</returns>
    public static IReadOnlyList<DistributionSetting> Read(
        string text, string source, IReadOnlyDictionary<string, string> environment, ICollection<ConfigurationFault> faults)
    {
        var settings = new List<DistributionSetting>();
        if (YamlTree.Find(text, source, faults) is { } root)
        {
            Flatten("", root, settings);
        }

        // The shorter name comes first, as there: what is said of a part counts more than what is said of the whole.
        foreach (var (name, value) in environment.OrderBy(variable => variable.Key, StringComparer.Ordinal))
        {
            if (!name.StartsWith(Prefix, StringComparison.Ordinal) || name.Length == Prefix.Length || name == FileVariable)
            {
                continue;
            }

            var key = name[Prefix.Length..].ToLowerInvariant().Replace('_', '.');
            var place = new FaultPlace(Printable.Of(name));
            var given = new List<DistributionSetting>();
            if (YamlTree.Find(value, place.Source, faults) is { } node)
            {
                Flatten(key, node, given);
            }

            settings.RemoveAll(setting => setting.Key == key || setting.Key.StartsWith($"{key}.", StringComparison.Ordinal));
            settings.AddRange(given.Select(setting => setting with { Place = place }));
        }

        return settings;
    }

    private static void Flatten(string key, YamlNode node, List<DistributionSetting> settings)
    {
        switch (node)
        {
            case YamlScalar scalar:
                settings.Add(new DistributionSetting(key, scalar.IsNull ? null : scalar.Text, scalar.Place));
                break;
            case YamlList list:
                foreach (var (number, item) in list.Items.Index())
                {
                    Flatten($"{key}.{number}", item, settings);
                }

                break;
            case YamlMapping mapping:
                foreach (var entry in mapping.Entries)
                {
                    var inner = entry.Key.ToLowerInvariant();
                    Flatten(key.Length == 0 ? inner : $"{key}.{inner}", entry.Value, settings);
                }

                break;
        }
    }
}
