using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>Which upload it is, and of what: who would go on with it has to say all of this.</summary>
/// <param name="Repository">Where the blob is pushed to.</param>
/// <param name="User">Who began it; null where nobody had logged in.</param>
/// <param name="Id">Its identity.</param>
public sealed record UploadKey(RepositoryName Repository, string? User, UploadId Id);

/// <summary>Names an upload in progress. Nobody can guess one.</summary>
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
