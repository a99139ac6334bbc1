using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mirror.Configuration.Reading;

/// <param name="Path">As it is written in the configuration.</param>
/// <param name="Content">What the file holds.</param>
internal sealed record PemFile<T>(string Path, T Content)
    where T : class;

/// <summary>Reads certificates and keys; what a file holds is not quoted.</summary>
internal static class Pem
{
    private const int MaxSize = 1024 * 1024;

    public static Kind<PemFile<X509Certificate2Collection>> CertificatesIn(string folder) => KindOf(folder, ParseCertificates);

    /// <summary>The text of a private key that can be read; which certificate it belongs to is not known here.</summary>
    public static Kind<PemFile<Secret>> KeyIn(string folder) => KindOf(folder, ParseKey);

    /// <summary>The text of a file, such as the two below take. The path is absolute.</summary>
    public static Parsed<string> ReadText(string path) => TextFile.Read(Path.GetPathRoot(path)!, path, MaxSize);

    public static Parsed<X509Certificate2Collection> ParseCertificates(string text)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(text);
        }
        catch (CryptographicException)
        {
            certificates.Clear();
        }

        return certificates.Count > 0
            ? Parsed.Right(certificates)
            : Parsed.Wrong<X509Certificate2Collection>("holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
    }

    /// <summary>Before the key there may be others: a certificate, or the parameters that openssl writes.</summary>
    public static Parsed<Secret> ParseKey(string text)
    {
        var rest = text.AsSpan();
        while (PemEncoding.TryFind(rest, out var fields))
        {
            switch (rest[fields.Label])
            {
                case "ENCRYPTED PRIVATE KEY":
                    return Encrypted();
                case var label when label.EndsWith("PRIVATE KEY", StringComparison.Ordinal):
                    return Parsed.Right(new Secret(text));
            }

            rest = rest[fields.Location.End..];
        }

        // Headers make it something else than what is looked for above.
        return text.Contains("\nProc-Type: 4,ENCRYPTED", StringComparison.Ordinal)
            ? Encrypted()
            : Parsed.Wrong<Secret>("holds no PEM private key (-----BEGIN PRIVATE KEY-----)");
    }

    /// <summary>A certificate and its key as one, or null where they do not belong together or the key can not be read.</summary>
    public static X509Certificate2? FindPair(string certificate, Secret key)
    {
        try
        {
            return X509Certificate2.CreateFromPem(certificate, key.Reveal());
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return null;
        }
    }

    private static Parsed<Secret> Encrypted() =>
        Parsed.Wrong<Secret>("holds an encrypted key, and nobody is there to say its passphrase: write it without, with openssl pkey");

    private static Kind<PemFile<T>> KindOf<T>(string folder, Func<string, Parsed<T>> parse)
        where T : class => new(
        path =>
        {
            var content = TextFile.Read(folder, path, MaxSize);
            var parsed = content.Fault is null ? parse(content.Value) : Parsed.Wrong<T>(content.Fault);
            return parsed.Fault is null ? Parsed.Right(new PemFile<T>(path, parsed.Value)) : Parsed.Wrong<PemFile<T>>(parsed.Fault);
        },
        file => file.Path,
        () => new System.Text.Json.Nodes.JsonObject { ["type"] = "string" });
}
