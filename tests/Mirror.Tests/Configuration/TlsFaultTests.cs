using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mirror.Configuration;
using Mirror.Configuration.Reading;
using Mirror.Testing;

namespace Mirror.Tests.Configuration;

/// <summary>A server that no client could use does not start, and says what to write: each with the key that it is about.</summary>
public sealed class TlsFaultTests : IDisposable
{
    private static readonly Dictionary<string, string> NoEnvironment = [];

    private readonly TemporaryDirectory _folder = new();
    private readonly TestAuthority _authority = new();

    public TlsFaultTests()
    {
        Write("good", _authority.Issue("mirror.example.com"));
        Write("other", _authority.Issue("mirror.example.com"));
        Write("old", _authority.Issue("mirror.example.com", until: new DateTimeOffset(2021, 5, 6, 7, 8, 0, TimeSpan.Zero)));
        Write("new", _authority.Issue("mirror.example.com", from: new DateTimeOffset(2047, 1, 1, 0, 0, 0, TimeSpan.Zero)));
        File.WriteAllText(_folder.Combine("ca.crt"), _authority.Certificates.ExportCertificatePems());
        File.WriteAllText(_folder.Combine("empty"), "");
        File.WriteAllText(_folder.Combine("chain-first.crt"), _authority.Certificates.ExportCertificatePems() + "\n" + File.ReadAllText(_folder.Combine("good.crt")));
        using var weak = RSA.Create(1024);
        using var weakCertificate = new CertificateRequest("CN=mirror.example.com", weak, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        File.WriteAllText(_folder.Combine("weak.crt"), weakCertificate.ExportCertificatePem());
        File.WriteAllText(_folder.Combine("weak.key"), weak.ExportPkcs8PrivateKeyPem());
        using var key = ECDsa.Create();
        File.WriteAllText(
            _folder.Combine("encrypted.key"), key.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 10)));
        File.WriteAllText(
            _folder.Combine("legacy.key"), "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n");
        File.WriteAllText(_folder.Combine("both.pem"), File.ReadAllText(_folder.Combine("good.crt")) + "\n" + File.ReadAllText(_folder.Combine("good.key")));
        File.WriteAllText(
            _folder.Combine("with-parameters.key"), $"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{File.ReadAllText(_folder.Combine("good.key"))}");
    }

    [Theory]
    [InlineData("certificate: gone.crt, key: good.key", "certificate: 'gone.crt' does not exist")]
    [InlineData("certificate: empty, key: good.key", "certificate: 'empty' holds no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    [InlineData("certificate: good.crt, key: gone.key", "key: 'gone.key' does not exist")]
    [InlineData("certificate: good.crt, key: empty", "key: 'empty' holds no PEM private key (-----BEGIN PRIVATE KEY-----)")]
    [InlineData("certificate: good.crt, key: encrypted.key", "key: 'encrypted.key' holds an encrypted key, and nobody is there to say its passphrase: write it without, with openssl pkey")]
    [InlineData("certificate: good.crt, key: legacy.key", "key: 'legacy.key' holds an encrypted key, and nobody is there to say its passphrase: write it without, with openssl pkey")]
    [InlineData("certificate: good.crt, key: other.key", "key: is not the key of the first certificate in the certificate's file, or can not be read")]
    [InlineData("certificate: chain-first.crt, key: good.key", "key: is not the key of the first certificate in the certificate's file, or can not be read")]
    [InlineData("certificate: old.crt, key: old.key", "certificate: the certificate has expired; it was valid until 2021-05-06 07:08 UTC: write a new one")]
    [InlineData(
        "certificate: new.crt, key: new.key",
        "certificate: the certificate is not valid before 2047-01-01 00:00 UTC: look at the clock of this machine, or write another")]
    [InlineData(
        "certificate: weak.crt, key: weak.key", "certificate: the certificate has a key of 1024 bits, which clients refuse: make one of 2048 or more")]
    [InlineData("certificate: good.crt", "certificate: there is no key: add it")]
    [InlineData("key: good.key", "key: there is no certificate: add it")]
    [InlineData("clientCa: ca.crt", "clientCa: there is no certificate: add it")]
    [InlineData("certificate: good.crt, key: good.key, clientCa: empty", "clientCa: 'empty' holds no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    [InlineData(
        "certificate: good.crt, key: good.key, requireClientCertificate: true",
        "requireClientCertificate: there is no clientCa, so nobody's certificate would do: add it")]
    public void What_no_client_could_use_stops_the_start(string lines, string fault)
    {
        var refused = Assert.IsType<ConfigurationAnswer.Refused>(Read(lines));

        Assert.Equal($"server.tls.{fault}", $"{Assert.Single(refused.Faults).Key}: {refused.Faults[0].Message}");
    }

    [Theory]
    [InlineData("certificate: good.crt, key: good.key")]
    [InlineData("certificate: both.pem, key: both.pem")]
    [InlineData("certificate: good.crt, key: with-parameters.key")]
    public void Paths_start_at_the_configuration_files_folder_and_one_file_may_hold_both(string lines)
    {
        var tls = Assert.IsType<ConfigurationAnswer.Loaded>(Read($"{lines}, clientCa: ca.crt, requireClientCertificate: true")).Configuration.Server.Tls!;

        Assert.StartsWith(_folder.Path, tls.Certificate, StringComparison.Ordinal);
        Assert.Equal((_folder.Combine("ca.crt"), true), (tls.ClientCa, tls.RequireClientCertificate));
    }

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Dispose();
    }

    private ConfigurationAnswer Read(string lines) =>
        ConfigurationReader.Read($"server: {{ tls: {{ {lines} }} }}", "mirror.yml", _folder.Path, NoEnvironment);

    private void Write(string name, X509Certificate2 certificate)
    {
        using (certificate)
        {
            File.WriteAllText(_folder.Combine($"{name}.crt"), certificate.ExportCertificatePem());
            File.WriteAllText(_folder.Combine($"{name}.key"), certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        }
    }
}
