using System.Buffers;
using System.Security.Cryptography;

namespace Mirror.Oci;

/// <summary>The digest algorithms that the OCI image specification registers.</summary>
public enum DigestAlgorithm
{
    Sha256,
    Sha512,
}

/// <summary>
/// A content address, such as <c>sha256:9f86d0…</c> (image spec, descriptor.md, "Digests"). Always valid: it can only be parsed or
/// computed. Text and comparison are the canonical form's: lower-case algorithm and hex.
/// </summary>
public readonly record struct Digest
{
    private const string Sha256Prefix = "sha256:";
    private const string Sha512Prefix = "sha512:";
    private static readonly SearchValues<char> LowerHex = SearchValues.Create("0123456789abcdef");

    private readonly string? _text;

    private Digest(string text) => _text = text;

    public DigestAlgorithm Algorithm => Text.StartsWith(Sha256Prefix, StringComparison.Ordinal) ? DigestAlgorithm.Sha256 : DigestAlgorithm.Sha512;

    /// <summary>The part behind the colon: 64 or 128 lower-case hex digits.</summary>
    public string Hex => Text[Sha256Prefix.Length..];

    private string Text => _text ?? throw new InvalidOperationException("A digest was used before it was parsed or computed.");

    public static bool TryParse(ReadOnlySpan<char> text, out Digest digest)
    {
        var hexLength = text.StartsWith(Sha256Prefix, StringComparison.Ordinal) ? SHA256.HashSizeInBytes * 2
            : text.StartsWith(Sha512Prefix, StringComparison.Ordinal) ? SHA512.HashSizeInBytes * 2
            : 0;
        if (hexLength == 0 || text.Length != Sha256Prefix.Length + hexLength || text[Sha256Prefix.Length..].ContainsAnyExcept(LowerHex))
        {
            digest = default;
            return false;
        }

        digest = new Digest(text.ToString());
        return true;
    }

    /// <exception cref="FormatException">The text is not a digest.</exception>
    public static Digest Parse(string text) =>
        TryParse(text, out var digest) ? digest : throw new FormatException($"'{text}' is not a sha256 or sha512 digest.");

    public static Digest Sha256(ReadOnlySpan<byte> content) => FromHash(DigestAlgorithm.Sha256, SHA256.HashData(content));

    public static Digest Of(DigestAlgorithm algorithm, ReadOnlySpan<byte> content) => algorithm switch
    {
        DigestAlgorithm.Sha256 => Sha256(content),
        DigestAlgorithm.Sha512 => FromHash(algorithm, SHA512.HashData(content)),
    };

    /// <summary>Whether <paramref name="content"/> has this digest.</summary>
    public bool Matches(ReadOnlySpan<byte> content) => Of(Algorithm, content) == this;

    /// <summary>A hash to append content to as it passes; <see cref="Finish"/> turns it into a digest.</summary>
    public static IncrementalHash Start(DigestAlgorithm algorithm) => IncrementalHash.CreateHash(algorithm switch
    {
        DigestAlgorithm.Sha256 => HashAlgorithmName.SHA256,
        DigestAlgorithm.Sha512 => HashAlgorithmName.SHA512,
    });

    /// <summary>The digest of all that was appended to <paramref name="hash"/>, which can go on.</summary>
    public static Digest Finish(IncrementalHash hash) => FromHash(
        hash.AlgorithmName == HashAlgorithmName.SHA256 ? DigestAlgorithm.Sha256 : DigestAlgorithm.Sha512,
        hash.GetCurrentHash());

    public override string ToString() => Text;

    private static Digest FromHash(DigestAlgorithm algorithm, byte[] hash) => new((algorithm switch
    {
        DigestAlgorithm.Sha256 => Sha256Prefix,
        DigestAlgorithm.Sha512 => Sha512Prefix,
    }) + Convert.ToHexStringLower(hash));
}
