using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;

namespace Mirror.Configuration.Reading;

/// <summary>Writes the values that hold as YAML, for people, with a comment where the environment has a say.</summary>
internal static class EffectiveYaml
{
    private static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+/:");

    public static string Write(IReadOnlyList<DeclaredKey> keys, string source)
    {
        var yaml = new StringBuilder($"# {Printable.Of(source)}\n");
        Write(yaml, keys, indent: 0);
        return yaml.ToString();
    }

    private static void Write(StringBuilder yaml, IReadOnlyList<DeclaredKey> keys, int indent)
    {
        foreach (var key in keys)
        {
            switch (key)
            {
                case DeclaredKey.Value { Effective: { Count: > 0 } values } value:
                    Line(yaml, indent, key.Name, ValueOf(values), value.Origin);
                    break;
                case DeclaredKey.Value { IsList: true, Effective: [], Default.Count: > 0 } emptied:
                    Line(yaml, indent, key.Name, "[]", emptied.Origin);
                    break;
                case DeclaredKey.Value:
                    break;
                case DeclaredKey.Section section:
                    var before = yaml.Length;
                    Line(yaml, indent, key.Name);
                    var within = yaml.Length;
                    Write(yaml, section.Keys, indent + 1);
                    yaml.Length = yaml.Length == within ? before : yaml.Length;
                    break;
                case DeclaredKey.Map { Entries: [] }:
                    Line(yaml, indent, key.Name, "{}");
                    break;
                case DeclaredKey.Map map:
                    Line(yaml, indent, key.Name);
                    foreach (var (name, entry) in map.Entries)
                    {
                        Line(yaml, indent + 1, name);
                        Write(yaml, entry, indent + 2);
                    }

                    break;
                case DeclaredKey.Sequence { Items: [] }:
                    break;
                case DeclaredKey.Sequence sequence:
                    Line(yaml, indent, key.Name);
                    foreach (var item in sequence.Items)
                    {
                        var start = yaml.Length;
                        Write(yaml, item, indent + 2);
                        yaml[start + (2 * indent) + 2] = '-';
                    }

                    break;
                default:
                    throw new UnreachableException();
            }
        }
    }

    private static void Line(StringBuilder yaml, int indent, string key, string? value = null, string? origin = null)
    {
        yaml.Append(' ', 2 * indent).Append(ScalarOf(key)).Append(':');
        if (value is not null)
        {
            yaml.Append(' ').Append(value);
        }

        if (origin is not null)
        {
            yaml.Append("  # from ").Append(Printable.Of(origin));
        }

        yaml.Append('\n');
    }

    private static string ValueOf(IReadOnlyList<string> values) =>
        values is [var one] ? Escaped(one) : $"[{string.Join(", ", values.Select(Escaped))}]";

    /// <summary>A value as it is written in a file, so that it is read as it is.</summary>
    public static string Escaped(string value) => ScalarOf(Variables.Escape(value));

    /// <summary>Quoted unless it is certainly a plain scalar; a JSON string is a YAML one too.</summary>
    private static string ScalarOf(string text) =>
        !text.AsSpan().ContainsAnyExcept(PlainCharacters) && text is not ("" or "null" or ['-' or ':', ..] or [.., ':'])
            ? text
            : $"\"{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(text)}\"";
}
