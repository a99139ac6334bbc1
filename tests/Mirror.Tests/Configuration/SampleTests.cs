using System.Text.Json;
using System.Text.RegularExpressions;
using Mirror.Configuration;
using Mirror.Configuration.Reading;
using YamlDotNet.RepresentationModel;
using YamlNode = YamlDotNet.RepresentationModel.YamlNode;

namespace Mirror.Tests.Configuration;

/// <summary>The annotated <c>mirror.yml</c> at the repository's root, which is also what a server started there uses.</summary>
public sealed partial class SampleTests : IDisposable
{
    private static readonly Dictionary<string, string> NoEnvironment = [];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mirror-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_sample_is_the_embedded_default_and_another_registry()
    {
        var answer = ConfigurationReader.Read(Sample(), "mirror.yml", string.Empty, NoEnvironment);
        var sample = Assert.IsType<ConfigurationAnswer.Loaded>(answer).Configuration;
        var embedded = MirrorConfiguration.Embedded;

        Assert.Equal(embedded.Server.Listen, sample.Server.Listen);
        Assert.Equal(embedded.Storage, sample.Storage);
        Assert.Equal((embedded.Access.Anonymous, embedded.Access.Users), (sample.Access.Anonymous, sample.Access.Users));
        Assert.Empty(sample.Access.Rules);
        Assert.Equal(embedded.Observability, sample.Observability);
        Assert.Equal(embedded.Registries[0], sample.Registries[0]);
        Assert.DoesNotContain(sample.Registries.Skip(1), r => r.Default);
    }

    [Fact]
    public void The_sample_loads_with_every_option_uncommented()
    {
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "secrets"));
        File.WriteAllText(Path.Combine(_folder.FullName, "secrets/registry.example.com"), "secret\n");
        using var key = System.Security.Cryptography.ECDsa.Create();
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest(
            "CN=lab", key, System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "certs"));
        File.WriteAllText(Path.Combine(_folder.FullName, "certs/lab-ca.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder.FullName, "certs/mirror.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder.FullName, "certs/mirror.key"), key.ExportPkcs8PrivateKeyPem());
        foreach (var (name, like) in new[] { ("domain.crt", "mirror.pem"), ("domain.key", "mirror.key"), ("clients-ca.crt", "lab-ca.pem") })
        {
            File.Copy(Path.Combine(_folder.FullName, "certs", like), Path.Combine(_folder.FullName, "certs", name));
        }

        File.WriteAllText(Path.Combine(_folder.FullName, "certs/token-keys.pem"), key.ExportSubjectPublicKeyInfoPem());
        var environment = new Dictionary<string, string> { ["HUB_USER"] = "me", ["HUB_TOKEN"] = "token", ["SYNC_SECRET"] = "known" };

        var answer = ConfigurationReader.Read(Uncommented(), "mirror.yml", _folder.FullName, environment);

        var registries = Assert.IsType<ConfigurationAnswer.Loaded>(answer).Configuration.Registries;
        Assert.Single(((ConfigurationAnswer.Loaded)answer).Configuration.Access.Rules);
        Assert.Single(((ConfigurationAnswer.Loaded)answer).Configuration.Sync.Jobs);
        Assert.Equal(["docker.io", "ghcr.io", "registry.example.com", "lab"], registries.Select(r => r.Name));
        Assert.Equal([("me", "token"), (null, null), ("mirror", "secret"), (null, null)], registries.Select(r => (r.Username, r.Password?.Reveal())));
    }

    [Fact]
    public void The_sample_names_every_option()
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(Uncommented()));
        using var schema = JsonDocument.Parse(ConfigurationReader.Schema());
        var used = PathsIn(yaml.Documents[0].RootNode, schema.RootElement, string.Empty).ToHashSet();

        Assert.Contains("registries.*.passwordFile", used);
        // What can be said in only one of two ways.
        Assert.Equal(["sync.events.secretFile"], PathsIn(schema.RootElement, string.Empty).Except(used));
    }

    /// <summary>The paths of all keys that a schema knows; <c>*</c> stands for an entry's name or number.</summary>
    private static IEnumerable<string> PathsIn(JsonElement schema, string path)
    {
        if (schema.TryGetProperty("properties", out var properties))
        {
            return properties.EnumerateObject().SelectMany(p => PathsIn(p.Value, $"{path}{p.Name}.").Prepend(path + p.Name));
        }

        return schema.TryGetProperty("additionalProperties", out var entry) || schema.TryGetProperty("items", out entry) ? PathsIn(entry, $"{path}*.") : [];
    }

    private static IEnumerable<string> PathsIn(YamlNode node, JsonElement schema, string path) =>
        node is YamlSequenceNode list ? list.Children.SelectMany(item => PathsIn(item, schema.TryGetProperty("items", out var items) ? items : schema, $"{path}*."))
        : node is not YamlMappingNode mapping ? []
        : schema.TryGetProperty("properties", out var properties) ? mapping.Children.SelectMany(c =>
            PathsIn(c.Value, properties.GetProperty(c.Key.ToString()), $"{path}{c.Key}.").Prepend($"{path}{c.Key}"))
        : mapping.Children.SelectMany(c => PathsIn(c.Value, schema.GetProperty("additionalProperties"), $"{path}*."));

    private static string Uncommented() => CommentedOption().Replace(Sample(), "${indent}${option}");

    private static string Sample()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Mirror.slnx")))
            {
                return File.ReadAllText(Path.Combine(folder.FullName, "mirror.yml"));
            }
        }

        throw new DirectoryNotFoundException("The tests do not run in the repository.");
    }

    /// <summary><c>  # key: value</c> or <c>  # key:</c>, perhaps the first of a list's entry, alone on its line, which no prose is.</summary>
    [GeneratedRegex(@"^(?<indent> *)# (?<option> *(?:- )?[A-Za-z0-9.-]+:(?: \S+| \[.*\]| "".*"")?)$", RegexOptions.Multiline, 1000)]
    private static partial Regex CommentedOption();
}
