using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>What a server shows to clients.</summary>
/// <param name="Leaf">Its own certificate, with the key.</param>
/// <param name="Chain">All that its file has: authorities between it and a root among them.</param>
public sealed record ServerCertificate(X509Certificate2 Leaf, X509Certificate2Collection Chain)
{
    /// <summary>Clients refuse less, in bits of RSA.</summary>
    private const int LeastRsa = 2048;

    private const string OtherKey = "is not the key of the first certificate in the certificate's file, or can not be read";

    private DateTimeOffset From => new(Leaf.NotBefore);

    private DateTimeOffset Until => new(Leaf.NotAfter);

    /// <summary>What two files hold together.</summary>
    /// <param name="certificate">The text of the one.</param>
    /// <param name="key">The text of the other.</param>
    internal static Parsed<ServerCertificate> Parse(string certificate, string key)
    {
        var certificates = Pem.ParseCertificates(certificate);
        var secret = Pem.ParseKey(key);
        if ((certificates.Fault ?? secret.Fault) is { } fault)
        {
            return Parsed.Wrong<ServerCertificate>($"{(certificates.Fault is null ? "the key's" : "the certificate's")} file {fault}");
        }

        var pair = Of(certificates.Value, secret.Value);
        return pair.Fault is null ? pair : Parsed.Wrong<ServerCertificate>($"what the key's file holds {pair.Fault}");
    }

    internal static Parsed<ServerCertificate> Of(X509Certificate2Collection certificates, Secret key) =>
        Pem.FindPair(certificates[0].ExportCertificatePem(), key) is { } leaf
            ? Parsed.Right(new ServerCertificate(leaf, certificates))
            : Parsed.Wrong<ServerCertificate>(OtherKey);

    /// <summary>Why it is of no use at a time; null where it is.</summary>
    public string? FindFault(DateTimeOffset now) =>
        now < From ? $"is not valid before {Write(From)}: look at the clock of this machine, or write another"
        : Leaf.GetRSAPublicKey() is { KeySize: < LeastRsa } weak ? $"has a key of {weak.KeySize} bits, which clients refuse: make one of {LeastRsa} or more"
        : now >= Until ? $"has expired; it was valid until {Write(Until)}: write a new one"
        : null;

    private static string Write(DateTimeOffset time) => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
