using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mirror.Configuration;
using Mirror.Configuration.Reading;
using static Mirror.Tests.Configuration.Configured;

namespace Mirror.Tests.Configuration;

public sealed class SecretTests : IDisposable
{
    private static readonly Dictionary<string, string> NoEnvironment = [];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mirror-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_password_is_not_printed_with_the_options_that_hold_it()
    {
        var registry = OneRegistry("username: me, password: hunter2");

        Assert.Equal("hunter2", registry.Password?.Reveal());
        Assert.DoesNotContain("hunter2", registry.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", System.Text.Json.JsonSerializer.Serialize(registry), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hunter2", "hunter2")]
    [InlineData("hunter2\n", "hunter2")]
    [InlineData("hunter2\r\n", "hunter2")]
    [InlineData(" hunter2 \n", " hunter2 ")]
    [InlineData("\ufeffhunter2", "hunter2")]
    public void A_password_file_holds_the_password_and_perhaps_a_line_break(string content, string password)
    {
        var answer = Assert.IsType<ConfigurationAnswer.Loaded>(ReadWithPasswordFile(content));

        Assert.Equal(password, Assert.Single(answer.Configuration.Registries).Password?.Reveal());
        Assert.DoesNotContain("hunter2", answer.ToYaml(), StringComparison.Ordinal);
        Assert.Contains("passwordFile: token", answer.ToYaml(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("hunter2\nhunter3\n")]
    public void A_password_file_that_holds_no_password_is_a_fault(string content)
    {
        var fault = Assert.Single(Assert.IsType<ConfigurationAnswer.Refused>(ReadWithPasswordFile(content)).Faults);

        Assert.Equal("registries.a.passwordFile", fault.Key);
        Assert.DoesNotContain("hunter", fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_password_file_that_can_not_be_read_is_a_fault() => Assert.Equal(
        ["mirror.yml:1:48: registries.a.passwordFile: 'nope/token' does not exist"],
        Faults("registries: { a: { username: me, passwordFile: nope/token } }"));

    [Theory]
    [InlineData("username: me", "username: there is no password: add password or passwordFile")]
    [InlineData("credentials: docker, username: me, password: x", "credentials: there is a username or password too: keep one of the two ways")]
    [InlineData("credentials: podman", "credentials: 'podman' can not be this: write docker, or remove the key")]
    [InlineData("password: x", "password: there is no username: add it")]
    [InlineData("passwordFile: /dev/null/x", "passwordFile: there is no username: add it")]
    [InlineData("username: me, password: x, passwordFile: /dev/null/x", "passwordFile: there is a password too: keep one of the two")]
    [InlineData("username: 'a:b', password: x", "username: 'a:b' can not be a name: it has a colon or a control character")]
    [InlineData("username: me, password: ''", "password: the value is empty: write a password, or remove the key")]
    public void Half_of_the_credentials_is_a_fault(string lines, string fault) =>
        Assert.Contains(Faults($"registries: {{ a: {{ {lines} }} }}"), f => f.EndsWith($"registries.a.{fault}", StringComparison.Ordinal));

    [Theory]
    [InlineData("ca: nope.pem", "ca: 'nope.pem' does not exist")]
    [InlineData("ca: /etc/passwd", "ca: '/etc/passwd' holds no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    [InlineData("proxy: 'https://p'", "proxy: 'https://p' is not a proxy's address: write http://proxy.example.com:3128")]
    [InlineData("clientKey: key.pem", "clientKey: there is no clientCertificate: add it")]
    [InlineData("clientCertificate: cert.pem", "clientCertificate: there is no clientKey: add it")]
    [InlineData("clientCertificate: cert.pem, clientKey: cert.pem", "clientKey: 'cert.pem' holds no PEM private key (-----BEGIN PRIVATE KEY-----)")]
    [InlineData("clientCertificate: cert.pem, clientKey: other.pem", "clientKey: the key can not be read, or is not the one of clientCertificate")]
    public void A_certificate_key_or_proxy_that_can_not_be_used_is_a_fault(string lines, string fault)
    {
        using var key = ECDsa.Create();
        using var other = ECDsa.Create();
        using var certificate = new CertificateRequest("CN=lab", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        File.WriteAllText(Path.Combine(_folder.FullName, "cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder.FullName, "key.pem"), key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Path.Combine(_folder.FullName, "other.pem"), other.ExportPkcs8PrivateKeyPem());

        var answer = ConfigurationReader.Read($"registries: {{ a: {{ {lines} }} }}", "mirror.yml", _folder.FullName, NoEnvironment);

        var faults = Assert.IsType<ConfigurationAnswer.Refused>(answer).Faults;
        Assert.EndsWith($"registries.a.{fault}", Assert.Single(faults).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("registries: { a: { username: me, password: \"hunter2\\n\" } }")]
    [InlineData("registries: { a: { username: me, password: [hunter2] } }")]
    [InlineData("registries: { a: { username: me, password:hunter2 } }")]
    [InlineData("registries:\n  a:\n    password:hunter2")]
    [InlineData("registries:\n  a:\n    username: me\n    password:hunter2\n    default: true")]
    [InlineData("registries: { a: { username: me, passwort: hunter2 } }")]
    [InlineData("registries: { a: { url: 'me:hunter2@https://registry.example.com' } }")]
    public void A_password_in_a_faulty_place_is_not_in_the_fault(string yaml) =>
        Assert.All(Faults(yaml), f => Assert.DoesNotContain("hunter2", f, StringComparison.Ordinal));

    private ConfigurationAnswer ReadWithPasswordFile(string content)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "token"), content);
        return ConfigurationReader.Read(
            "registries: { a: { username: me, passwordFile: token } }", "mirror.yml", _folder.FullName, NoEnvironment);
    }
}
