using System.Text.Json;
using System.Text.RegularExpressions;
using Mirror.Configuration.Reading;

namespace Mirror.Tests.Configuration;

public sealed class SchemaTests : IDisposable
{
    private readonly JsonDocument _schema = JsonDocument.Parse(ConfigurationReader.Schema());

    private JsonElement Registry => Properties.GetProperty("registries").GetProperty("additionalProperties").GetProperty("properties");

    private JsonElement Properties => _schema.RootElement.GetProperty("properties");

    public void Dispose() => _schema.Dispose();

    [Fact]
    public void The_schema_names_and_describes_every_key()
    {
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", _schema.RootElement.GetProperty("$schema").GetString());
        Assert.Equal(["server", "storage", "local", "registries", "access", "sync", "observability"], Properties.EnumerateObject().Select(p => p.Name));
        Assert.Equal(
            ["listen", "publicUrl", "trustedProxies", "tls"], Properties.GetProperty("server").GetProperty("properties").EnumerateObject().Select(p => p.Name));
        Assert.Equal(
            ["certificate", "key", "clientCa", "requireClientCertificate"],
            Properties.GetProperty("server").GetProperty("properties").GetProperty("tls").GetProperty("properties").EnumerateObject().Select(p => p.Name));
        Assert.Equal(
            ["url", "default", "host", "username", "password", "passwordFile", "credentials", "realms", "ca", "clientCertificate", "clientKey", "proxy",
                "share", "offline", "pullThrough", "allow", "tagFreshness", "serveStale", "immutableTags",
                "finishAbandoned", "complete", "maxConnections", "bandwidth"],
            Registry.EnumerateObject().Select(p => p.Name));
        Assert.Equal(
            ["issuer", "service", "keys", "realm"],
            Properties.GetProperty("access").GetProperty("properties").GetProperty("tokens").GetProperty("properties").EnumerateObject().Select(p => p.Name));
        var sync = Properties.GetProperty("sync").GetProperty("properties");
        Assert.Equal(["state", "events", "jobs"], sync.EnumerateObject().Select(p => p.Name));
        Assert.Equal(["secret", "secretFile"], sync.GetProperty("events").GetProperty("properties").EnumerateObject().Select(p => p.Name));
        var job = sync.GetProperty("jobs").GetProperty("additionalProperties").GetProperty("properties");
        Assert.Equal(
            ["schedule", "timeZone", "spread", "from", "to", "repositories", "tags", "platforms", "index",
                "referrers", "referrersFreshness", "delete", "deleteLimit", "parallel", "verify", "reserve"],
            job.EnumerateObject().Select(p => p.Name));
        Assert.Equal(["include", "exclude", "newest", "by"], job.GetProperty("tags").GetProperty("properties").EnumerateObject().Select(p => p.Name));
        Assert.All(Registry.EnumerateObject(), p => Assert.NotEmpty(p.Value.GetProperty("description").GetString()!));
    }

    [Fact]
    public void The_schema_knows_defaults_choices_and_patterns()
    {
        var log = Properties.GetProperty("observability").GetProperty("properties").GetProperty("log");
        var level = log.GetProperty("properties").GetProperty("level");
        Assert.Equal("info", level.GetProperty("default").GetString());
        Assert.Equal("""["debug","info","warn","error"]""", JsonSerializer.Serialize(level.GetProperty("anyOf")[0].GetProperty("enum")));
        Assert.False(Registry.GetProperty("default").GetProperty("default").GetBoolean());
        Assert.Equal(64, Registry.GetProperty("maxConnections").GetProperty("default").GetInt32());
        Assert.Equal("2GB", Registry.GetProperty("finishAbandoned").GetProperty("default").GetString());
        Assert.False(Registry.GetProperty("url").TryGetProperty("default", out _));
        Assert.False(_schema.RootElement.GetProperty("additionalProperties").GetBoolean());

        var variable = _schema.RootElement.GetProperty("$defs").GetProperty("variable").GetProperty("pattern").GetString()!;
        Assert.Matches(variable, "${HUB_USER}");
        var name = Properties.GetProperty("registries").GetProperty("propertyNames").GetProperty("pattern").GetString()!;
        Assert.True(Regex.IsMatch("registry.example.com", name, RegexOptions.None, TimeSpan.FromSeconds(1)));
        Assert.False(Regex.IsMatch("Registry", name, RegexOptions.None, TimeSpan.FromSeconds(1)));
    }
}
