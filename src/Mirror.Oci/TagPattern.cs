namespace Mirror.Oci;

/// <summary>A pattern for whole tags, such as <c>v*.*.*</c>: <c>*</c> is any number of characters, <c>?</c> is one.</summary>
public readonly record struct TagPattern
{
    private readonly string? _text;

    private TagPattern(string text) => _text = text;

    private string Text => _text ?? throw new InvalidOperationException("A tag pattern was used before it was parsed.");

    /// <summary>What no tag can match is no pattern.</summary>
    public static bool TryParse(string text, out TagPattern pattern)
    {
        var isPattern = Tag.TryParse(text.Replace('*', '_').Replace('?', '_'), out _);
        pattern = isPattern ? new TagPattern(text) : default;
        return isPattern;
    }

    /// <exception cref="FormatException">The text is not such a pattern.</exception>
    public static TagPattern Parse(string text) =>
        TryParse(text, out var pattern) ? pattern : throw new FormatException($"'{text}' is not a pattern for tags.");

    /// <summary>The last star takes one more character wherever the rest does not fit; earlier stars never need to be tried again.</summary>
    public bool Matches(Tag tag)
    {
        var (pattern, text) = (Text, tag.ToString());
        var (p, t, star, taken) = (0, 0, -1, 0);
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (star, taken) = (p++, t);
            }
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == text[t]))
            {
                (p, t) = (p + 1, t + 1);
            }
            else if (star >= 0)
            {
                (p, t) = (star + 1, ++taken);
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(p).IndexOfAnyExcept('*') < 0;
    }

    public override string ToString() => Text;
}
