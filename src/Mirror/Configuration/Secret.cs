namespace Mirror.Configuration;

/// <summary>A password or token. Printing, logging and serialising it show <c>***</c> or nothing; <see cref="Reveal"/> is a method for that.</summary>
public sealed record Secret
{
    private readonly string _text;

    public Secret(string text) => _text = text;

    public string Reveal() => _text;

    public override string ToString() => "***";
}
