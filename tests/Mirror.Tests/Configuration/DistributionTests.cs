using System.Security.Cryptography.X509Certificates;
using Mirror.Configuration;
using Mirror.Configuration.Distribution;
using Mirror.Testing;

namespace Mirror.Tests.Configuration;

/// <summary>What <c>mirror config adopt</c> makes of the configuration of a registry:2.</summary>
public sealed class DistributionTests
{
    [Theory]
    [InlineData("http: { addr: ':5001' }", "listen: \"*:5001\"")]
    [InlineData("http: { addr: '127.0.0.1:5001' }", "listen: 127.0.0.1:5001")]
    [InlineData("http: { addr: '[::1]:5001' }", "listen: \"[::1]:5001\"")]
    [InlineData("http: { addr: 'localhost:5001' }", "listen: localhost:5001")]
    [InlineData("version: 0.1", "listen: \"*:5000\"")]
    [InlineData("http: { host: 'https://r.example.com' }", "publicUrl: https://r.example.com")]
    [InlineData("http: { host: 'https://r.example.com', prefix: /sub/path/ }", "publicUrl: https://r.example.com/sub/path")]
    [InlineData("version: 0.1", "anonymous: [pull, push]")]
    [InlineData("storage: { delete: { enabled: true } }", "anonymous: [pull, push, delete]")]
    [InlineData("storage: { maintenance: { readonly: { enabled: true } }, delete: { enabled: true } }", "anonymous: [pull]")]
    [InlineData("proxy: { remoteurl: 'https://registry-1.docker.io' }", "anonymous: [pull]")]
    [InlineData("auth: { htpasswd: { realm: here, path: /auth/htpasswd } }", "anonymous: []")]
    [InlineData("auth: { htpasswd: { realm: here, path: /auth/htpasswd } }", "users: /auth/htpasswd")]
    [InlineData(
        "{ auth: { htpasswd: { realm: here, path: /auth/htpasswd } }, storage: { delete: { enabled: true } } }",
        "rules:\n    - { repositories: [\"**\"], users: [\"*\"], allow: [pull, push, delete] }")]
    [InlineData("auth: { silly: { realm: here, service: there } }", "anonymous: []")]
    [InlineData("proxy: { remoteurl: 'https://registry-1.docker.io' }", "registries:\n  docker.io:\n    default: true\n")]
    [InlineData("proxy: { remoteurl: 'https://ghcr.io' }", "  ghcr.io:\n    default: true\n    url: https://ghcr.io\n")]
    [InlineData("proxy: { remoteurl: 'http://lab:5001/' }", "  lab:\n    default: true\n    url: http://lab:5001/\n")]
    [InlineData("proxy: { remoteurl: 'https://ghcr.io', username: me, password: 'p${X}: #' }", "    password: \"p$${X}: #\"\n    # As there")]
    [InlineData("log: { level: warn, formatter: json }", "level: warn\n    format: json\n")]
    [InlineData("loglevel: debug", "level: debug\n")]
    [InlineData("storage: { filesystem: { rootdirectory: /srv/old } }", "with: mirror adopt /srv/old\n")]
    public void A_value_has_its_counterpart_and_the_whole_can_be_used(string there, string here)
    {
        var (yaml, _) = Translate(there);

        Assert.Contains(here, yaml, StringComparison.Ordinal);
        Configured.Load(yaml);
    }

    [Fact]
    public void A_proxys_credentials_are_those_that_hold()
    {
        var (yaml, _) = Translate("proxy: { remoteurl: 'https://ghcr.io', username: me, password: 'p${X}: #' }");

        var registry = Assert.Single(Configured.Load(yaml).Configuration.Registries);
        Assert.Equal(("ghcr.io", true, "me", "p${X}: #", Share.All), (registry.Name, registry.Default, registry.Username, registry.Password?.Reveal(), registry.Share));
    }

    /// <summary>FOLDER stands for where the files are that the reader looks into.</summary>
    [Theory]
    [InlineData("http: { tls: { certificate: FOLDER/c.crt, key: FOLDER/c.key } }", "  tls:\n    certificate: FOLDER/c.crt\n    key: FOLDER/c.key\nstorage:")]
    [InlineData(
        "http: { tls: { certificate: FOLDER/c.crt, key: FOLDER/c.key, clientcas: [FOLDER/ca.crt] } }",
        "    key: FOLDER/c.key\n    clientCa: FOLDER/ca.crt\n    requireClientCertificate: true\n")]
    [InlineData(
        "auth: { token: { realm: 'https://a/token', service: r.example.com, issuer: a, rootcertbundle: FOLDER/ca.crt } }",
        "access:\n  anonymous: []\n  tokens:\n    issuer: a\n    service: r.example.com\n    keys: FOLDER/ca.crt\n    realm: https://a/token\n")]
    public void Certificates_and_tokens_have_their_counterparts_and_the_whole_can_be_used(string there, string here)
    {
        using var folder = new TemporaryDirectory();
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("r.example.com");
        File.WriteAllText(folder.Combine("c.crt"), certificate.ExportCertificatePem());
        File.WriteAllText(folder.Combine("c.key"), certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(folder.Combine("ca.crt"), authority.Certificates.ExportCertificatePems());

        var (yaml, _) = Translate(there.Replace("FOLDER", folder.Path, StringComparison.Ordinal));

        Assert.Contains(here.Replace("FOLDER", folder.Path, StringComparison.Ordinal), yaml, StringComparison.Ordinal);
        Configured.Load(yaml);
    }

    [Theory]
    [InlineData("storage: { s3: { region: x, bucket: y } }", "config.yml:1:26: storage.s3.region: Mirror keeps its data on a disk of its own")]
    [InlineData("storage: { azure: { accountname: x } }", "storage.azure.accountname: Mirror keeps its data")]
    [InlineData("storage: { gcs: { bucket: x } }", "storage.gcs.bucket: Mirror keeps its data")]
    [InlineData("auth: { silly: { realm: x } }", "auth.silly.realm: it is for tests alone")]
    [InlineData("http: { addr: 'registry.example.com:https' }", "http.addr: Mirror listens on an IP address")]
    [InlineData("http: { prefix: /sub/ }", "http.prefix: Mirror's API is at /v2/")]
    [InlineData("http: { headers: { X-Mine: [a] } }", "http.headers.x-mine.0: answers have no headers")]
    [InlineData("http: { debug: { addr: ':5001' } }", "http.debug.addr: there is no second address")]
    [InlineData("http: { net: unix }", "http.net: Mirror listens on TCP")]
    [InlineData("http: { tls: { letsencrypt: { email: a@example.com } } }", "http.tls.letsencrypt.email: Mirror gets no certificates: let certbot")]
    [InlineData("http: { tls: { certificate: /c.crt } }", "http.tls.certificate: certificate and key belong together")]
    [InlineData("http: { tls: { certificate: /c.crt, key: /k, clientcas: [/a.crt, /b.crt] } }", "http.tls.clientcas.1: clientCa is one file")]
    [InlineData("notifications: { endpoints: [{ name: a, url: 'http://a' }] }", "notifications.endpoints.0.name: nobody is notified")]
    [InlineData("middleware: { storage: [{ name: cloudfront }] }", "middleware.storage.0.name: there is no middleware")]
    [InlineData("compatibility: { schema1: { enabled: true } }", "compatibility.schema1.enabled: Docker schema 1 is not supported")]
    [InlineData("validation: { manifests: { urls: { allow: [a] } } }", "validation.manifests.urls.allow.0: layers that lie elsewhere")]
    [InlineData("proxy: { remoteurl: 'ftp://x' }", "proxy.remoteurl: as a registry's url it is not an http or https address")]
    [InlineData("proxy: { remoteurl: 'https://ghcr.io', username: me }", "proxy.username: proxy.username and proxy.password belong together")]
    [InlineData("auth: { htpasswd: { path: htpasswd } }", "auth.htpasswd.path: a relative path starts at")]
    [InlineData("version: 0.1\nstorge: { delete: { enabled: true } }", "config.yml:2:30: storge.delete.enabled: this is no key that is known")]
    public void What_has_no_counterpart_is_named_with_its_place_and_what_to_do(string there, string named)
    {
        var (yaml, untranslated) = Translate(there);

        Assert.Contains(untranslated, one => one.IsLost && $"{one}".Contains(named, StringComparison.Ordinal));
        Assert.Contains(named, yaml, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("redis: { addr: 'a:1' }")]
    [InlineData("http: { secret: verysecret, relativeurls: true }")]
    [InlineData("health: { storagedriver: { enabled: true } }")]
    [InlineData("storage: { cache: { blobdescriptor: redis }, maintenance: { uploadpurging: { enabled: false } } }")]
    [InlineData("{ proxy: { remoteurl: 'https://ghcr.io', ttl: 168h }, version: 0.1 }")]
    [InlineData("http: { host: }")]
    public void What_is_not_needed_is_a_comment_and_no_loss(string there)
    {
        var (yaml, untranslated) = Translate(there);

        Assert.NotEmpty(untranslated);
        Assert.DoesNotContain(untranslated, one => one.IsLost);
        Assert.Contains("# Not needed:\n", yaml, StringComparison.Ordinal);
        Assert.DoesNotContain("verysecret", yaml, StringComparison.Ordinal);
        Configured.Load(yaml);
    }

    [Fact]
    public void Variables_win_over_the_file_and_work_without_one()
    {
        (string, string)[] environment =
        [
            ("REGISTRY_HTTP_ADDR", "0.0.0.0:5002"), ("REGISTRY_PROXY_REMOTEURL", "https://registry-1.docker.io"), ("REGISTRY_AUTH", "htpasswd"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"), ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
            ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/var/lib/old"), ("REGISTRY_STORAGE_DELETE_ENABLED", "true"), ("PATH", "/bin"),
            ("REGISTRY_HTTP_HEADERS_X-Mine", "[\"a\"]"), ("REGISTRY_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
        ];

        var (yaml, untranslated) = Translate(DistributionSettings.DefaultText, environment);

        var configuration = Configured.Load(yaml).Configuration;
        Assert.Equal("0.0.0.0:5002", $"{Assert.Single(configuration.Server.Listen)}");
        Assert.Equal("docker.io", Assert.Single(configuration.Registries).Name);
        Assert.Equal((Rights.None, "/auth/htpasswd"), (configuration.Access.Anonymous, configuration.Access.Users));
        Assert.Equal(Rights.Pull, Assert.Single(configuration.Access.Rules).Allow);
        Assert.Contains("mirror adopt /var/lib/old\n", yaml, StringComparison.Ordinal);
        Assert.Equal(
            ["REGISTRY_HTTP_HEADERS_X-Mine: http.headers.x-mine.0", "REGISTRY_PORT_5000_TCP: port.5000.tcp"],
            untranslated.Where(one => one.IsLost).Select(one => $"{one.Setting.Place}: {one.Setting.Key}"));
    }

    [Fact]
    public void What_the_image_has_by_itself_is_a_registry_for_everybody_without_a_loss()
    {
        var (yaml, untranslated) = Translate(DistributionSettings.DefaultText);

        var configuration = Configured.Load(yaml).Configuration;
        Assert.Equal("*:5000", $"{Assert.Single(configuration.Server.Listen)}");
        Assert.Equal(Rights.Pull | Rights.Push, configuration.Access.Anonymous);
        Assert.Equal("**", $"{Assert.Single(configuration.OwnNames)}");
        Assert.DoesNotContain(untranslated, one => one.IsLost);
    }

    private static (string Yaml, IReadOnlyList<Untranslated> Untranslated) Translate(string there, params (string Name, string Value)[] environment)
    {
        var faults = new List<ConfigurationFault>();
        var settings = DistributionSettings.Read(there, "config.yml", environment.ToDictionary(v => v.Name, v => v.Value), faults);
        Assert.Empty(faults);
        return Translation.Of(settings, "config.yml");
    }
}
