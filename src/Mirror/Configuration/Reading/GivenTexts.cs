namespace Mirror.Configuration.Reading;

/// <param name="Text">What it comes to.</param>
/// <param name="Written">What is written, with variables unreplaced.</param>
/// <param name="Place">Where.</param>
/// <param name="Path">Of the key, with an index in a list.</param>
internal readonly record struct GivenText(string Text, string Written, FaultPlace Place, string Path);

/// <summary>What a key was given, by a variable that overrides it or by the file: one text, or those of a list.</summary>
/// <param name="Texts">Those without a fault so far.</param>
/// <param name="IsWhole">Whether that is all.</param>
/// <param name="Origin">The environment variables that they come from; null for none.</param>
internal sealed record GivenTexts(IReadOnlyList<GivenText> Texts, bool IsWhole, string? Origin)
{
    public static GivenTexts OfOverride(string variable, string value, bool isList, string path)
    {
        var items = !isList ? [value]
            : string.IsNullOrWhiteSpace(value) ? []
            : value.Split(',', StringSplitOptions.TrimEntries);
        return new GivenTexts([.. items.Select(i => new GivenText(i, i, new FaultPlace(variable), path))], true, variable);
    }

    public static GivenTexts OfNode(ConfigurationDocument document, YamlNode value, bool isList, string path)
    {
        var list = isList ? value as YamlList : null;
        var nodes = list?.Items ?? [value];
        var texts = new List<GivenText>();
        var used = new List<string>();
        foreach (var (i, node) in nodes.Index())
        {
            if (FindText(document, node, list is null ? path : $"{path}[{i}]", used) is { } text)
            {
                texts.Add(text);
            }
        }

        var origin = used.Count == 0 ? null : string.Join(", ", used.Distinct(StringComparer.Ordinal));
        return new GivenTexts(texts, texts.Count == nodes.Count, origin);
    }

    private static GivenText? FindText(ConfigurationDocument document, YamlNode node, string path, List<string> used)
    {
        var (text, fault) = node switch
        {
            YamlScalar { IsNull: true } => Parsed.Wrong<string>("there is no value: write one, or remove the key"),
            YamlScalar scalar => Variables.Replace(scalar.Text, document.Environment, used),
            YamlList => Parsed.Wrong<string>("this is a list: write one value"),
            _ => Parsed.Wrong<string>("this is a mapping: write a value"),
        };
        if (fault is null)
        {
            return new GivenText(text, ((YamlScalar)node).Text, node.Place, path);
        }

        document.Report(node.Place, path, fault);
        return null;
    }
}
