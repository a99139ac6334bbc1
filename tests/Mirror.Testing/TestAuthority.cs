using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mirror.Testing;

/// <summary>A certificate authority that nobody's system trusts.</summary>
public sealed class TestAuthority : IDisposable
{
    public const string ServerUse = "1.3.6.1.5.5.7.3.1";
    public const string ClientUse = "1.3.6.1.5.5.7.3.2";

    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly X509Certificate2 _certificate;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _certificate = RequestFor("A test's authority", key).CreateSelfSigned(From, From.AddYears(30));
    }

    private TestAuthority(X509Certificate2 certificate) => _certificate = certificate;

    public X509Certificate2Collection Certificates => [X509CertificateLoader.LoadCertificate(_certificate.RawData)];

    /// <summary>An authority that this one vouches for.</summary>
    public TestAuthority IssueAuthority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var issued = RequestFor(name, key).Create(_certificate, From, From.AddYears(29), Guid.NewGuid().ToByteArray());
        return new TestAuthority(issued.CopyWithPrivateKey(key));
    }

    /// <summary>A certificate with its key, for a server or a client of this name.</summary>
    /// <param name="name">A host's name, an address, or a user's.</param>
    /// <param name="from">When it begins to be valid; years ago if null.</param>
    /// <param name="until">When it ends; years ahead if null.</param>
    /// <param name="use">What it is for only; anything, if null.</param>
    /// <param name="subject">Its whole subject; the name as CN, if null.</param>
    public X509Certificate2 Issue(string name, DateTimeOffset? from = null, DateTimeOffset? until = null, string? use = null, string? subject = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject ?? $"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(name, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(name);
        }

        request.CertificateExtensions.Add(names.Build());
        string[] uses = use is null ? [ServerUse, ClientUse] : [use];
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([.. uses.Select(oid => new Oid(oid))], false));
        using var issued = request.Create(_certificate, from ?? From, until ?? From.AddYears(28), Guid.NewGuid().ToByteArray());
        return issued.CopyWithPrivateKey(key);
    }

    public void Dispose() => _certificate.Dispose();

    private static CertificateRequest RequestFor(string name, ECDsa key)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request;
    }
}
