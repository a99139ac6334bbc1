using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Mirror.Sync.Jobs;

/// <summary>
/// A regular expression for whole names. It takes time in proportion to the name, whatever it says: it does not backtrack.
/// </summary>
public sealed class WholeTextRegex
{
    /// <summary>What stands before it where a glob could stand too.</summary>
    public const string Prefix = "regex:";

    private const int MaxLength = 1000;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    private readonly string _text;
    private readonly Regex _regex;

    private WholeTextRegex(string text, Regex regex) => (_text, _regex) = (text, regex);

    /// <param name="text">The expression, without anything before it.</param>
    /// <param name="regex">The expression, if the answer is true.</param>
    /// <param name="fault">Otherwise what is wrong with it, for a person to read.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out WholeTextRegex? regex, [NotNullWhen(false)] out string? fault)
    {
        regex = null;
        if (text.Length is 0 or > MaxLength)
        {
            fault = text.Length == 0 ? "the expression is empty" : $"the expression is longer than {MaxLength} characters";
            return false;
        }

        try
        {
            // By itself first: what closes a group that it has not opened would else end the one around it.
            _ = Compile(text);
            regex = new WholeTextRegex(text, Compile($@"\A(?:{text})\z"));
            fault = null;
            return true;
        }
        catch (RegexParseException e)
        {
            fault = $"{e.Error} at character {e.Offset + 1}";
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            fault = "it looks ahead, looks back or refers to a group, which takes too long with some names";
        }

        return false;
    }

    public bool Matches(string text) => _regex.IsMatch(text);

    /// <summary>The expression, without the prefix.</summary>
    public override string ToString() => _text;

    private static Regex Compile(string text) => new(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, Timeout);
}
