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
            errors.Write(EraseLine + (text.Length < Console.WindowWidth ? text : text[..Math.Max(0, Console.WindowWidth - 1)]));
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
