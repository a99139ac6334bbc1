namespace Mirror.Commands;

/// <summary>One line on a terminal that changes in place; nothing where there is no terminal.</summary>
internal sealed class ProgressLine(TextWriter errors)
{
    private const string EraseLine = "\r\u001b[K";

    private readonly bool _isLive = ReferenceEquals(errors, Console.Error) && !Console.IsErrorRedirected;

    public void Show(string text)
    {
        if (_isLive)
        {
            // A line that reaches the edge would go on in the next, and stay there. Some terminals do not say how wide they are.
            var width = Console.WindowWidth > 1 ? Console.WindowWidth - 1 : 79;
            errors.Write(EraseLine + (text.Length > width ? text[..width] : text));
        }
    }

    /// <summary>Makes room for a line that stays.</summary>
    public void Clear()
    {
        if (_isLive)
        {
            errors.Write(EraseLine);
        }
    }
}
