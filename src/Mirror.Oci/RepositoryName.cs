namespace Mirror.Oci;

/// <summary>
/// A repository's name within its registry, such as <c>library/alpine</c> (distribution spec, "Pulling manifests"): path components of
/// lower-case letters and digits, separated inside by <c>.</c>, <c>_</c>, <c>__</c> or any number of <c>-</c>; at most 255 characters.
/// </summary>
public readonly record struct RepositoryName
{
    /// <summary>What registries accept in practice; the specification recommends it together with the host's length.</summary>
    public const int MaxLength = 255;

    private readonly string? _text;

    private RepositoryName(string text) => _text = text;

    private string Text => _text ?? throw new InvalidOperationException("A repository name was used before it was parsed.");

    /// <summary>The components between the slashes; never empty.</summary>
    public string[] Components => Text.Split('/');

    public static bool TryParse(ReadOnlySpan<char> text, out RepositoryName name)
    {
        name = default;
        if (text.Length is 0 or > MaxLength)
        {
            return false;
        }

        foreach (var component in text.Split('/'))
        {
            if (!IsComponent(text[component]))
            {
                return false;
            }
        }

        name = new RepositoryName(text.ToString());
        return true;
    }

    /// <exception cref="FormatException">The text is not a repository name.</exception>
    public static RepositoryName Parse(string text) =>
        TryParse(text, out var name) ? name : throw new FormatException($"'{text}' is not a repository name.");

    public override string ToString() => Text;

    /// <summary><c>[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*</c>, read in one pass: a regular expression would be exponential if written carelessly.</summary>
    private static bool IsComponent(ReadOnlySpan<char> component)
    {
        if (component.IsEmpty || !char.IsAsciiLetterLower(component[0]) && !char.IsAsciiDigit(component[0]))
        {
            return false;
        }

        for (var i = 1; i < component.Length;)
        {
            var separator = SeparatorLength(component[i..]);
            i += separator;
            if (i == component.Length || !char.IsAsciiLetterLower(component[i]) && !char.IsAsciiDigit(component[i]))
            {
                return false;
            }

            i++;
        }

        return true;
    }

    private static int SeparatorLength(ReadOnlySpan<char> rest) => rest switch
    {
        ['_', '_', ..] => 2,
        ['_', ..] or ['.', ..] => 1,
        ['-', ..] => rest.IndexOfAnyExcept('-') is var end and >= 0 ? end : rest.Length,
        _ => 0,
    };
}
