using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mirror.Bench.Servers;

/// <summary>A certificate of 127.0.0.1's own, in two files.</summary>
internal sealed class Certificate
{
    private Certificate(string path, string keyPath) => (Path, KeyPath) = (path, keyPath);

    public string Path { get; }

    public string KeyPath { get; }

    public static Certificate Create(string folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var issued = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        Directory.CreateDirectory(folder);
        var files = new Certificate(System.IO.Path.Combine(folder, "bench.crt"), System.IO.Path.Combine(folder, "bench.key"));
        File.WriteAllText(files.Path, issued.ExportCertificatePem());
        File.WriteAllText(files.KeyPath, key.ExportPkcs8PrivateKeyPem());
        return files;
    }
}
