namespace Mirror.Configuration.Reading;

/// <summary>What all sections of one configuration share while it is read.</summary>
/// <param name="folder">Where relative paths start; empty to leave them as they are.</param>
/// <param name="environment">The environment variables, for overrides and <c>${NAME}</c>.</param>
internal sealed class ConfigurationDocument(string folder, IReadOnlyDictionary<string, string> environment)
{
    public const string OverridePrefix = "MIRROR_";

    public const string OverrideSeparator = "__";

    public string Folder => folder;

    public IReadOnlyDictionary<string, string> Environment => environment;

    public List<ConfigurationFault> Faults { get; } = [];

    /// <summary>The names of all overrides that there could have been.</summary>
    public HashSet<string> Overrides { get; } = [];

    /// <summary>How the names of overrides would begin for the parts that only a file can say.</summary>
    public Dictionary<string, string> FileOnly { get; } = [];

    public void Report(FaultPlace place, string key, string message) => Faults.Add(new ConfigurationFault(place, key, message));

    /// <summary>Names with a single underscore are not ours: Kubernetes makes such variables from the names of services.</summary>
    public void ReportUnknownOverrides()
    {
        var unknown = environment.Keys
            .Where(n => n.StartsWith(OverridePrefix, StringComparison.Ordinal) && n.Contains(OverrideSeparator, StringComparison.Ordinal))
            .Where(n => !Overrides.Contains(n))
            .Order(StringComparer.Ordinal);
        foreach (var name in unknown)
        {
            var section = FileOnly.FirstOrDefault(f => name.StartsWith(f.Key, StringComparison.Ordinal)).Value;
            var nearest = NearestName.Find(name, Overrides);
            Faults.Add(new ConfigurationFault(
                new FaultPlace(Printable.Of(name)),
                string.Empty,
                section is not null ? $"{section} can not be set by a variable: write ${{NAME}} as a value in the file"
                : nearest is not null ? $"no key has this name; did you mean {nearest}?"
                : $"no key has this name; there are {string.Join(", ", Overrides.Order(StringComparer.Ordinal))}"));
        }
    }
}
