using System.Buffers;
using System.Text;

namespace Mirror.Configuration.Reading;

/// <summary><c>${NAME}</c> in a value stands for the environment variable NAME; <c>$${NAME}</c> is the text <c>${NAME}</c>.</summary>
internal static class Variables
{
    public const string Pattern = @"\$\{[A-Za-z_][A-Za-z0-9_]*\}";

    /// <summary>Ample for a token, and too little to fill the memory by naming a long variable often.</summary>
    private const int MaxLength = 64 * 1024;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    /// <summary>What to write for a text that is not to be searched for variables.</summary>
    public static string Escape(string text) => text.Replace("${", "$${", StringComparison.Ordinal);

    /// <param name="written">The value as it stands in the file.</param>
    /// <param name="environment">Where the variables are.</param>
    /// <param name="used">The variables that the value now depends on are added here.</param>
    public static Parsed<string> Replace(string written, IReadOnlyDictionary<string, string> environment, ICollection<string> used)
    {
        var text = new StringBuilder();
        var rest = written.AsSpan();
        for (var at = rest.IndexOf("${"); at >= 0; at = rest.IndexOf("${"))
        {
            if (at > 0 && rest[at - 1] == '$')
            {
                text.Append(rest[..(at - 1)]).Append("${");
                rest = rest[(at + 2)..];
                continue;
            }

            text.Append(rest[..at]);
            rest = rest[(at + 2)..];
            var end = rest.IndexOfAnyExcept(NameCharacters);
            if (end <= 0 || rest[end] != '}' || char.IsAsciiDigit(rest[0]))
            {
                return Parsed.Wrong<string>("has ${ without a name and }: write ${NAME}, or $${ for the characters themselves");
            }

            var name = rest[..end].ToString();
            if (!environment.TryGetValue(name, out var value))
            {
                return Parsed.Wrong<string>(
                    $"the environment variable {Printable.Of(name)} is not set: set it, or write $${{ for the characters ${{");
            }

            if (text.Length + value.Length > MaxLength)
            {
                return Parsed.Wrong<string>($"is longer than {MaxLength} characters with its variables replaced");
            }

            used.Add(name);
            text.Append(value);
            rest = rest[(end + 1)..];
        }

        return Parsed.Right(text.Append(rest).ToString());
    }
}
