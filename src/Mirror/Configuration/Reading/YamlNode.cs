namespace Mirror.Configuration.Reading;

/// <summary>A YAML value and where it stands.</summary>
/// <param name="Place">Of its first character.</param>
/// <param name="Size">How many values it consists of, each alias counted as what it stands for.</param>
internal abstract record YamlNode(FaultPlace Place, long Size);

internal sealed record YamlScalar(FaultPlace Place, string Text, bool IsNull) : YamlNode(Place, 1);

internal sealed record YamlList(FaultPlace Place, IReadOnlyList<YamlNode> Items) : YamlNode(Place, 1 + Items.Sum(i => i.Size));

/// <summary>Keys may occur twice here: whoever reads the mapping knows its path and reports them.</summary>
internal sealed record YamlMapping(FaultPlace Place, IReadOnlyList<YamlEntry> Entries)
    : YamlNode(Place, 1 + Entries.Sum(e => 1 + e.Value.Size));

/// <param name="Key">The key.</param>
/// <param name="Place">Of the key.</param>
/// <param name="Value">What stands behind it.</param>
internal readonly record struct YamlEntry(string Key, FaultPlace Place, YamlNode Value);
