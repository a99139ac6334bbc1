using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Mirror.Storage;

/// <summary>Names an upload in progress. Nobody can guess one: whoever has it may go on with the upload.</summary>
public readonly record struct UploadId
{
    private const int Length = 32;

    private readonly string? _text;

    private UploadId(string text) => _text = text;

    public static UploadId New() => new(RandomNumberGenerator.GetHexString(Length, lowercase: true));

    public static bool TryParse([NotNullWhen(true)] string? text, out UploadId id)
    {
        var isValid = text is { Length: Length } && text.All(char.IsAsciiHexDigitLower);
        id = isValid ? new UploadId(text!) : default;
        return isValid;
    }

    public override string ToString() => _text ?? throw new InvalidOperationException("An upload's identity was used before it was made.");
}
