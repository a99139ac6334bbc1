using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>A public key that another authorization server signs tokens with.</summary>
/// <param name="Key">An <see cref="RSA"/> or <see cref="ECDsa"/>.</param>
/// <param name="Ids">What tokens may call it (<c>kid</c>).</param>
/// <param name="Algorithms">Those of JWS that fit it, and no others.</param>
public sealed record TokenKey(AsymmetricAlgorithm Key, IReadOnlySet<string> Ids, IReadOnlyList<string> Algorithms)
{
    private const int MinRsaSize = 2048;
    private const int MaxRsaSize = 16384;
    private const string RsaOid = "1.2.840.113549.1.1.1";
    private const string EcOid = "1.2.840.10045.2.1";
    private const string Ed25519Oid = "1.3.101.112";
    private const string Ed448Oid = "1.3.101.113";
    private const string Base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    private static readonly string[] RsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

    // CNCF Distribution 3, and issuers that took its code, write the thumbprint of the curve's base point for that of the key: it is the last here.
    private static readonly Dictionary<string, (string Name, string Algorithm, string BasePoint)> Curves = new()
    {
        ["1.2.840.10045.3.1.7"] = ("P-256", "ES256", "xx0BcA-wMohw8atYDJOe6peGModklG2wRHBlXHMvl0M"),
        ["1.3.132.0.34"] = ("P-384", "ES384", "-W6Wzot_wuerYbKBVKfGEks3iY2EALna-hBqObnPuJE"),
        ["1.3.132.0.35"] = ("P-521", "ES512", "67t2ktf21o_Z2-ygUyR0zriEF9PMHtlT1l4q9rGSYOM"),
    };

    /// <summary>The key as tokens are verified with it.</summary>
    /// <param name="key">Where it is from.</param>
    /// <param name="id">What its owner calls it; null where that is not said.</param>
    internal static Parsed<TokenKey> Of(PublicKey key, string? id = null)
    {
        try
        {
            return key.Oid.Value switch
            {
                RsaOid => OfRsa(key.GetRSAPublicKey()!, id),
                EcOid => OfEc(key.GetECDsaPublicKey()!, id),
                Ed25519Oid or Ed448Oid => Parsed.Wrong<TokenKey>("holds a key of EdDSA, which can not be verified here: have the tokens signed with RSA or ECDSA"),
                _ => Parsed.Wrong<TokenKey>("holds a key that is neither RSA's nor ECDSA's"),
            };
        }
        catch (CryptographicException)
        {
            return Parsed.Wrong<TokenKey>("holds a key that is damaged, or of a curve other than P-256, P-384 and P-521");
        }
    }

    private static Parsed<TokenKey> OfRsa(RSA key, string? id)
    {
        if (key.KeySize is < MinRsaSize or > MaxRsaSize)
        {
            return Parsed.Wrong<TokenKey>($"holds an RSA key of {key.KeySize} bits: it has to have {MinRsaSize} or more, and at most {MaxRsaSize}");
        }

        var parameters = key.ExportParameters(includePrivateParameters: false);
        var thumbprint = Thumbprint($$"""{"e":"{{Base64(parameters.Exponent!)}}","kty":"RSA","n":"{{Base64(parameters.Modulus!)}}"}""");
        return Parsed.Right(new TokenKey(key, Names(id, Libtrust(key.ExportSubjectPublicKeyInfo()), thumbprint), RsaAlgorithms));
    }

    private static Parsed<TokenKey> OfEc(ECDsa key, string? id)
    {
        var parameters = key.ExportParameters(includePrivateParameters: false);
        if (!Curves.TryGetValue(parameters.Curve.Oid.Value ?? "", out var curve))
        {
            return Parsed.Wrong<TokenKey>("holds a key of a curve other than P-256, P-384 and P-521");
        }

        var thumbprint = Thumbprint($$"""{"crv":"{{curve.Name}}","kty":"EC","x":"{{Base64(parameters.Q.X!)}}","y":"{{Base64(parameters.Q.Y!)}}"}""");
        return Parsed.Right(new TokenKey(
            key, Names(id, Libtrust(key.ExportSubjectPublicKeyInfo()), thumbprint, curve.BasePoint), [curve.Algorithm]));
    }

    private static HashSet<string> Names(params IEnumerable<string?> names) => [.. names.OfType<string>()];

    /// <summary>RFC 7638.</summary>
    private static string Thumbprint(string json) => Base64(SHA256.HashData(Encoding.ASCII.GetBytes(json)));

    private static string Base64(byte[] bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>What Distribution 2 and docker's libtrust call a key: 30 bytes of its hash in Base32, in groups of four letters.</summary>
    private static string Libtrust(byte[] subjectPublicKeyInfo)
    {
        var bits = string.Concat(SHA256.HashData(subjectPublicKeyInfo).Take(30).Select(part => part.ToString("b8")));
        var letters = bits.Chunk(5).Select(five => Base32Digits[Convert.ToInt32(new string(five), 2)]);
        return string.Join(':', letters.Chunk(4).Select(four => new string(four)));
    }
}
