namespace Mirror.Configuration;

/// <summary>
/// A password or token. Printed, logged or serialised it is <c>***</c> or nothing; <see cref="Reveal"/> is a method, no property, for that.
/// </summary>
public sealed record Secret
{
    private readonly string _text;

    public Secret(string text) => _text = text;

    public string Reveal() => _text;

    public override string ToString() => "***";
}
