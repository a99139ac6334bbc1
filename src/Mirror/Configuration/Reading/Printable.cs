using System.Text;

namespace Mirror.Configuration.Reading;

/// <summary>Text from a file or the environment, fit for a terminal: one line, not long, no control characters.</summary>
internal static class Printable
{
    private const int MaxLength = 100;
    private const int MaxSentence = 2000;

    public static string Quote(string text) => $"'{Of(text)}'";

    public static string Of(string text) => Of(text, MaxLength);

    /// <summary>What is longer than a value: a full name, or why something failed.</summary>
    public static string Sentence(string text) => Of(text, MaxSentence);

    private static string Of(string text, int maxLength)
    {
        var printable = new StringBuilder();
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, maxLength)))
        {
            // Bidirectional marks and the like are format characters: they rearrange what is read.
            _ = char.IsControl(c) || char.IsSurrogate(c) || char.GetUnicodeCategory(c) is
                System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.LineSeparator
                or System.Globalization.UnicodeCategory.ParagraphSeparator
                ? printable.Append($"\\u{(int)c:x4}")
                : printable.Append(c);
        }

        return text.Length > maxLength ? printable.Append('…').ToString() : printable.ToString();
    }
}
