using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>What a file of another authorization server's keys holds.</summary>
/// <param name="Keys">At least one.</param>
/// <param name="Certificates">Those whose keys they are. A certificate that a token brings along counts if one of these vouches for it.</param>
public sealed record TokenKeys(IReadOnlyList<TokenKey> Keys, X509Certificate2Collection Certificates)
{
    private const int MaxFileSize = 1024 * 1024;
    private const int MaxCount = 100;
    private const string PrivateKey = "holds a private key, which only who issues the tokens should have: write the public one";

    /// <summary>Reads PEM with public keys and certificates, or a JSON Web Key Set.</summary>
    /// <param name="path">A file.</param>
    /// <returns>The keys, or what is wrong with the file; reads on from its name.</returns>
    public static (TokenKeys? Keys, string? Fault) Read(string path)
    {
        var file = TextFile.Read(Environment.CurrentDirectory, path, MaxFileSize);
        var (keys, fault) = file.Fault is null ? Parse(file.Value) : Parsed.Wrong<TokenKeys>(file.Fault);
        return (keys, fault);
    }

    private static Parsed<TokenKeys> Parse(string text)
    {
        try
        {
            return text.AsSpan().TrimStart() is ['{', ..] ? ParseJson(text) : ParsePem(text);
        }
        catch (JsonException)
        {
            return Parsed.Wrong<TokenKeys>("is not JSON, although it begins like that");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException)
        {
            return Parsed.Wrong<TokenKeys>("holds a key or certificate that is damaged");
        }
    }

    private static Parsed<TokenKeys> ParsePem(string text)
    {
        var keys = new List<TokenKey>();
        var certificates = new X509Certificate2Collection();
        for (var rest = text.AsSpan(); PemEncoding.TryFind(rest, out var fields); rest = rest[fields.Location.End..])
        {
            var label = rest[fields.Label].ToString();
            if (label.EndsWith("PRIVATE KEY", StringComparison.Ordinal))
            {
                return Parsed.Wrong<TokenKeys>(PrivateKey);
            }

            var der = Convert.FromBase64String(rest[fields.Base64Data].ToString());
            PublicKey? found = null;
            switch (label)
            {
                case "PUBLIC KEY":
                    found = PublicKey.CreateFromSubjectPublicKeyInfo(der, out _);
                    break;
                case "RSA PUBLIC KEY":
                    using (var rsa = RSA.Create())
                    {
                        rsa.ImportRSAPublicKey(der, out _);
                        found = new PublicKey(rsa);
                    }

                    break;
                case "CERTIFICATE":
                    var certificate = X509CertificateLoader.LoadCertificate(der);
                    certificates.Add(certificate);
                    found = certificate.PublicKey;
                    break;
            }

            if (found is null)
            {
                continue;
            }

            var (key, fault) = TokenKey.Of(found);
            if (fault is not null)
            {
                return Parsed.Wrong<TokenKeys>(fault);
            }

            keys.Add(key);
        }

        return Of(keys, certificates, "holds no PEM public key or certificate (-----BEGIN PUBLIC KEY-----), and is no JSON Web Key Set");
    }

    private static Parsed<TokenKeys> ParseJson(string text)
    {
        using var document = JsonDocument.Parse(text);
        IEnumerable<JsonElement> entries = document.RootElement.TryGetProperty("keys", out var list)
            ? list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : []
            : [document.RootElement];
        var keys = new List<TokenKey>();
        string? firstFault = null;
        foreach (var entry in entries.Where(entry => entry.ValueKind == JsonValueKind.Object))
        {
            if (entry.TryGetProperty("d", out _) || entry.TryGetProperty("k", out _))
            {
                return Parsed.Wrong<TokenKeys>(PrivateKey);
            }

            // RFC 7517, section 5: a set may have keys that are not for us, and they are passed over. If no other is there, the first is named.
            var (key, fault) = ParseKey(entry);
            if (fault is not null)
            {
                firstFault ??= fault;
            }
            else
            {
                keys.Add(key);
            }
        }

        return Of(keys, [], firstFault ?? "holds no key: a JSON Web Key Set is {\"keys\": [ … ]}");
    }

    private static Parsed<TokenKey> ParseKey(JsonElement entry)
    {
        if (TextOf(entry, "use") is not (null or "sig"))
        {
            return Parsed.Wrong<TokenKey>("holds only keys that are not for signatures");
        }

        var (key, fault) = TextOf(entry, "kty") switch
        {
            "RSA" => TokenKey.Of(RsaOf(entry), TextOf(entry, "kid")),
            "EC" when CurveOf(entry) is { } curve => TokenKey.Of(EcOf(entry, curve), TextOf(entry, "kid")),
            "EC" => Parsed.Wrong<TokenKey>("holds a key of a curve other than P-256, P-384 and P-521"),
            "OKP" => Parsed.Wrong<TokenKey>("holds a key of EdDSA, which can not be verified here: have the tokens signed with RSA or ECDSA"),
            _ => Parsed.Wrong<TokenKey>("holds a key that is neither RSA's nor ECDSA's"),
        };
        return fault is not null ? Parsed.Wrong<TokenKey>(fault)
            : TextOf(entry, "alg") is not { } algorithm ? Parsed.Right(key)
            : key.Algorithms.Contains(algorithm) ? Parsed.Right(key with { Algorithms = [algorithm] })
            : Parsed.Wrong<TokenKey>("holds a key for an algorithm that does not fit it, or is not for signatures");
    }

    private static PublicKey RsaOf(JsonElement entry)
    {
        using var rsa = RSA.Create(new RSAParameters { Modulus = BytesOf(entry, "n"), Exponent = BytesOf(entry, "e") });
        return new PublicKey(rsa);
    }

    private static PublicKey EcOf(JsonElement entry, ECCurve curve)
    {
        using var ec = ECDsa.Create(new ECParameters { Curve = curve, Q = new ECPoint { X = BytesOf(entry, "x"), Y = BytesOf(entry, "y") } });
        return new PublicKey(ec);
    }

    private static ECCurve? CurveOf(JsonElement entry) => TextOf(entry, "crv") switch
    {
        "P-256" => ECCurve.NamedCurves.nistP256,
        "P-384" => ECCurve.NamedCurves.nistP384,
        "P-521" => ECCurve.NamedCurves.nistP521,
        _ => null,
    };

    private static byte[] BytesOf(JsonElement entry, string name) => Base64Url.DecodeFromChars(TextOf(entry, name) ?? "");

    private static string? TextOf(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static Parsed<TokenKeys> Of(List<TokenKey> keys, X509Certificate2Collection certificates, string none) => keys.Count switch
    {
        0 => Parsed.Wrong<TokenKeys>(none),
        > MaxCount => Parsed.Wrong<TokenKeys>($"holds more than {MaxCount} keys"),
        _ => Parsed.Right(new TokenKeys(keys, certificates)),
    };
}
