namespace Mirror.Oci;

/// <summary>
/// A pattern for repositories' whole names, such as <c>team-*/**</c>: <c>*</c> is any number of characters inside one path component, and a
/// component <c>**</c> is one or more whole components. So <c>team-a/**</c> matches all that is below <c>team-a</c>, and not <c>team-a</c>
/// itself.
/// </summary>
public sealed class RepositoryPattern
{
    private const string Components = "**";

    private readonly string _text;
    private readonly string[] _components;

    private RepositoryPattern(string text) => (_text, _components) = (text, text.Split('/'));

    /// <summary>What no name can match is no pattern.</summary>
    public static bool TryParse(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out RepositoryPattern? pattern)
    {
        // The text between stars is part of a name exactly if it makes one with a letter for each star.
        var likeName = string.Join('/', text.Split('/').Select(component => component == Components ? "a" : component.Replace('*', 'a')));
        var isPattern = RepositoryName.TryParse(likeName, out _)
            && text.Split('/').All(component => component == Components || !component.Contains(Components, StringComparison.Ordinal));
        pattern = isPattern ? new RepositoryPattern(text) : null;
        return isPattern;
    }

    /// <exception cref="FormatException">The text is not such a pattern.</exception>
    public static RepositoryPattern Parse(string text) =>
        TryParse(text, out var pattern) ? pattern : throw new FormatException($"'{text}' is not a pattern for repositories.");

    /// <summary>
    /// The last <c>**</c> takes one more component wherever the rest does not fit; earlier ones never need to be tried again. So no pair of
    /// components is compared twice, whatever pattern and name are.
    /// </summary>
    /// <param name="name">A repository's name, in its registry or with the registry's before it.</param>
    public bool Matches(ReadOnlySpan<char> name)
    {
        var count = name.Count('/') + 1;
        Span<Range> names = count <= 64 ? stackalloc Range[count] : new Range[count];
        name.Split(names, '/');
        var (p, n, star, taken) = (0, 0, -1, 0);
        while (n < count)
        {
            if (p < _components.Length && _components[p] == Components)
            {
                // One component at least.
                (star, taken) = (p++, ++n);
            }
            else if (p < _components.Length && IsMatch(_components[p], name[names[n]]))
            {
                (p, n) = (p + 1, n + 1);
            }
            else if (star >= 0)
            {
                (p, n) = (star + 1, ++taken);
            }
            else
            {
                return false;
            }
        }

        return p == _components.Length;
    }

    public override string ToString() => _text;

    /// <summary>The same with characters for components, but that a star may be nothing.</summary>
    private static bool IsMatch(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        var (p, t, star, taken) = (0, 0, -1, 0);
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (star, taken) = (p++, t);
            }
            else if (p < pattern.Length && pattern[p] == text[t])
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

        return pattern[p..].IndexOfAnyExcept('*') < 0;
    }
}
