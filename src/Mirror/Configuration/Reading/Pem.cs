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

    public static Kind<PemFile<X509Certificate2Collection>> CertificatesIn(string folder) => KindOf(folder, text =>
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPem(text);
        return certificates.Count > 0 ? certificates : null;
    }, "holds no PEM certificate (-----BEGIN CERTIFICATE-----)");

    /// <summary>The text of a private key that can be read; which certificate it belongs to is not known here.</summary>
    public static Kind<PemFile<Secret>> KeyIn(string folder) => KindOf(
        folder,
        text => PemEncoding.TryFind(text, out var fields) && text[fields.Label].EndsWith("PRIVATE KEY", StringComparison.Ordinal) ? new Secret(text) : null,
        "holds no PEM private key (-----BEGIN PRIVATE KEY-----)");

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

    private static Kind<PemFile<T>> KindOf<T>(string folder, Func<string, T?> parse, string fault)
        where T : class => new(
        path =>
        {
            var content = TextFile.Read(folder, path, MaxSize);
            if (content.Fault is not null)
            {
                return Parsed.Wrong<PemFile<T>>(content.Fault);
            }

            try
            {
                return parse(content.Value) is { } value ? Parsed.Right(new PemFile<T>(path, value)) : Parsed.Wrong<PemFile<T>>(fault);
            }
            catch (CryptographicException)
            {
                return Parsed.Wrong<PemFile<T>>(fault);
            }
        },
        file => file.Path,
        () => new System.Text.Json.Nodes.JsonObject { ["type"] = "string" });
}
