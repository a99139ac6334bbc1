using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging;
using Mirror.Configuration;
using static Mirror.Tests.Configuration.Configured;

namespace Mirror.Tests.Configuration;

public sealed class ValueTests
{
    [Fact]
    public void Without_a_file_Docker_Hub_is_mirrored_for_this_machine_alone()
    {
        var embedded = MirrorConfiguration.Embedded;

        Assert.Equal(ListenAddress.Parse("127.0.0.1:5000"), Assert.Single(embedded.Server.Listen));
        Assert.Equal("./data", embedded.Storage.Path);
        var hub = Assert.Single(embedded.Registries);
        Assert.Equal(("docker.io", new Uri("https://registry-1.docker.io"), true), (hub.Name, hub.Url, hub.Default));
        Assert.Equal((TimeSpan.FromMinutes(5), TimeSpan.FromDays(30)), (hub.TagFreshness, hub.ServeStale));
        Assert.Equal((LogLevel.Information, LogFormat.Text), (embedded.Observability.Log.Level, embedded.Observability.Log.Format));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing but a comment")]
    [InlineData("server:\nstorage:\nregistries:\nobservability:\n  log:")]
    public void A_file_that_says_nothing_leaves_the_defaults_and_knows_no_registry(string yaml)
    {
        var configuration = Load(yaml).Configuration;

        Assert.Equal("127.0.0.1:5000", Assert.Single(configuration.Server.Listen).ToString());
        Assert.Equal("/srv/data", configuration.Storage.Path);
        Assert.Empty(configuration.Registries);
    }

    [Fact]
    public void Every_option_arrives_where_it_belongs()
    {
        var configuration = Load("""
            server: { listen: ["*:0", "[::1]:5000"], publicUrl: "https://mirror.example.com:8443/registry/" }
            storage: { path: ../var/mirror }
            registries:
              ghcr.io:
              hub-lab: { url: "http://127.0.0.1:5001/", default: true, username: me, password: pw, realms: [Auth.example.com, "auth:8443"],
                         tagFreshness: 0s, serveStale: 7d, finishAbandoned: 512MB, complete: 0,
                         maxConnections: 8, bandwidth: 20MB }
            observability: { log: { level: warn, format: json } }
            """).Configuration;

        Assert.Equal(["*:0", "[::1]:5000"], configuration.Server.Listen.Select(a => a.ToString()));
        Assert.Equal(new Uri("https://mirror.example.com:8443/registry/"), configuration.Server.PublicUrl);
        Assert.Equal("/var/mirror", configuration.Storage.Path);
        Assert.Equal((LogLevel.Warning, LogFormat.Json), (configuration.Observability.Log.Level, configuration.Observability.Log.Format));
        Assert.Equal(["ghcr.io", "hub-lab"], configuration.Registries.Select(r => r.Name));
        Assert.Equal(new Uri("https://ghcr.io"), configuration.Registries[0].Url);
        var lab = configuration.Registries[1];
        Assert.Equal((new Uri("http://127.0.0.1:5001"), true, "me", "pw"), (lab.Url, lab.Default, lab.Username, lab.Password?.Reveal()));
        Assert.Equal(["auth.example.com", "auth:8443"], lab.Realms);
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromDays(7), 512_000_000), (lab.TagFreshness, lab.ServeStale, lab.FinishAbandoned));
        Assert.Equal((0, 8, 20_000_000), (lab.Complete, lab.MaxConnections, lab.Bandwidth));
        Assert.Equal((64, null), (configuration.Registries[0].MaxConnections, configuration.Registries[0].Bandwidth));
    }

    [Theory]
    [InlineData("mirror.example.com", "is not an http or https address")]
    [InlineData("ftp://mirror.example.com", "is not an http or https address")]
    [InlineData("https://mirror.example.com/?a=b", "has a query or fragment")]
    [InlineData("https://mirror.example.com/#a", "has a query or fragment")]
    [InlineData("https://me@mirror.example.com", "has a user name in it: leave it out")]
    [InlineData("https://bücher.example", "has other letters than ASCII's")]
    public void What_can_not_begin_a_Location_is_no_public_address(string url, string fault)
    {
        var said = Fault($"server: {{ publicUrl: '{url}' }}");

        Assert.StartsWith("mirror.yml:1:22: server.publicUrl: ", said, StringComparison.Ordinal);
        Assert.Contains(fault, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("500ms", 0.5)]
    [InlineData("0s", 0)]
    [InlineData("30s", 30)]
    [InlineData("5m", 300)]
    [InlineData("12h", 43_200)]
    [InlineData("7d", 604_800)]
    public void A_duration_is_a_whole_number_and_a_unit(string text, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), OneRegistry($"tagFreshness: {text}").TagFreshness);

    [Theory]
    [InlineData("5")]
    [InlineData("m")]
    [InlineData("-5m")]
    [InlineData("+5m")]
    [InlineData("1.5h")]
    [InlineData("5 m")]
    [InlineData("5M")]
    [InlineData("5m30s")]
    [InlineData("٥m")]
    [InlineData("36501d")]
    [InlineData("9223372036854775807ms")]
    [InlineData("99999999999999999999s")]
    public void What_is_no_duration_is_refused(string text) =>
        Assert.Contains("registries.a.tagFreshness", Fault($"registries: {{ a: {{ tagFreshness: '{text}' }} }}"), StringComparison.Ordinal);

    [Fact]
    public void A_duration_that_is_shown_can_be_read_back() => Check.QuickThrowOnFailure(Prop.ForAll<NonNegativeInt>(milliseconds =>
    {
        var shown = Load($"registries: {{ a: {{ tagFreshness: {milliseconds.Get}ms }} }}").ToYaml();
        return Load(shown).Configuration.Registries[0].TagFreshness == TimeSpan.FromMilliseconds(milliseconds.Get);
    }));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("0GB", 0)]
    [InlineData("1B", 1)]
    [InlineData("64KB", 64_000)]
    [InlineData("512MB", 512_000_000)]
    [InlineData("100GB", 100_000_000_000)]
    [InlineData("2TB", 2_000_000_000_000)]
    public void A_size_is_a_whole_number_and_a_unit(string text, long bytes) =>
        Assert.Equal(bytes, OneRegistry($"finishAbandoned: {text}").FinishAbandoned);

    [Theory]
    [InlineData("5")]
    [InlineData("GB")]
    [InlineData("-1GB")]
    [InlineData("1.5GB")]
    [InlineData("5 GB")]
    [InlineData("5gb")]
    [InlineData("5GiB")]
    [InlineData("5G")]
    [InlineData("9223373TB")]
    [InlineData("99999999999999999999B")]
    public void What_is_no_size_is_refused(string text) => Assert.Contains(
        "registries.a.finishAbandoned", Fault($"registries: {{ a: {{ finishAbandoned: '{text}' }} }}"), StringComparison.Ordinal);

    [Theory]
    [InlineData("maxConnections: 0")]
    [InlineData("maxConnections: 1001")]
    [InlineData("maxConnections: -1")]
    [InlineData("maxConnections: many")]
    [InlineData("bandwidth: 0")]
    [InlineData("bandwidth: 999B")]
    [InlineData("bandwidth: 20MB/s")]
    public void A_share_of_nothing_is_refused(string line) =>
        Assert.Contains($"registries.a.{line.Split(':')[0]}", Fault($"registries: {{ a: {{ {line} }} }}"), StringComparison.Ordinal);

    [Fact]
    public void A_size_that_is_shown_can_be_read_back() => Check.QuickThrowOnFailure(Prop.ForAll<NonNegativeInt>(kilobytes =>
    {
        var shown = Load($"registries: {{ a: {{ finishAbandoned: {kilobytes.Get}KB }} }}").ToYaml();
        return Load(shown).Configuration.Registries[0].FinishAbandoned == kilobytes.Get * 1000L;
    }));

    [Theory]
    [InlineData("127.0.0.1:5000", "127.0.0.1")]
    [InlineData("0.0.0.0:0", "0.0.0.0")]
    [InlineData("[::1]:65535", "::1")]
    [InlineData("[0:0::1]:1", "::1")]
    [InlineData("localhost:5000", null)]
    [InlineData("*:5000", null)]
    public void An_address_to_listen_on_is_a_host_and_a_port(string text, string? address) =>
        Assert.Equal(address is null ? null : IPAddress.Parse(address), ListenAddress.Parse(text).Address);

    [Theory]
    [InlineData("")]
    [InlineData("5000")]
    [InlineData(":5000")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("127.0.0.1:-1")]
    [InlineData("127.0.0.1: 1")]
    [InlineData("127.1:5000")]
    [InlineData("1:5000")]
    [InlineData("::1:5000")]
    [InlineData("[127.0.0.1]:5000")]
    [InlineData("[::1:5000")]
    [InlineData("mirror.example.com:5000")]
    [InlineData("http://127.0.0.1:5000")]
    public void What_is_no_address_to_listen_on_is_refused(string text) => Assert.False(ListenAddress.TryParse(text, out _));

    [Theory]
    [InlineData("registry.example.com")]
    [InlineData("//registry.example.com")]
    [InlineData("ftp://registry.example.com")]
    [InlineData("https://")]
    [InlineData("https://a b")]
    [InlineData("https://registry.example.com?x=1")]
    [InlineData("https://registry.example.com/#x")]
    [InlineData("https://user:hunter2@registry.example.com")]
    public void A_registrys_url_is_a_plain_web_address(string url)
    {
        var fault = Fault($"registries: {{ a: {{ url: '{url}' }} }}");

        Assert.StartsWith("mirror.yml:1:25: registries.a.url: ", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Docker.io")]
    [InlineData("registry.example.com:5000")]
    [InlineData("a/b")]
    [InlineData("-a")]
    [InlineData("")]
    public void A_registrys_name_is_what_can_begin_a_repositorys_path(string name) =>
        Assert.Contains("is not a registry's name", Fault($"registries: {{ '{name}': {{ url: 'https://x' }} }}"), StringComparison.Ordinal);

    [Theory]
    [InlineData("index.docker.io")]
    [InlineData("registry-1.docker.io")]
    public void Docker_Hub_is_written_docker_io(string name) => Assert.Equal(
        [$"mirror.yml:1:15: registries: '{name}' is another name of docker.io: write docker.io"],
        Faults($"registries: {{ {name}: {{}} }}"));

    [Fact]
    public void Only_one_registry_is_the_default() => Assert.Equal(
        ["mirror.yml:1:53: registries.ghcr.io.default: 'docker.io' is the default registry already: keep one of the two"],
        Faults("registries: { docker.io: {default: true}, ghcr.io: {default: true}, quay.io: {default: false} }"));

    [Theory]
    [InlineData("https://auth.example.com")]
    [InlineData("auth.example.com/token")]
    [InlineData("*.example.com")]
    [InlineData("a b")]
    [InlineData("auth:port")]
    [InlineData("")]
    public void A_realm_is_a_host_and_perhaps_a_port(string realm) =>
        Assert.Contains("is not a host", Fault($"registries: {{ a: {{ realms: ['{realm}'] }} }}"), StringComparison.Ordinal);

    [Fact]
    public void A_host_belongs_to_one_registry() => Assert.Equal(
        ["mirror.yml:1:53: registries.b.host: 'a' has this host already: each needs its own"],
        Faults("registries: { a: { host: Hub.mirror.example }, b: { host: hub.mirror.example }, c: { host: other } }"));

    [Theory]
    [InlineData("hub.mirror.example:443")]
    [InlineData("https://hub.mirror.example")]
    [InlineData("")]
    public void A_host_that_is_no_name_is_a_fault(string host) =>
        Assert.Contains("is not a host's name", Fault($"registries: {{ a: {{ host: '{host}', url: 'https://x' }} }}"), StringComparison.Ordinal);

    [Theory]
    [InlineData("127.0.0.1:5000", "http://127.0.0.1:5000", true)]
    [InlineData("127.0.0.1:5000", "http://localhost:5000", true)]
    [InlineData("127.0.0.1:5000", "http://127.0.0.1:5001", false)]
    [InlineData("127.0.0.1:5000", "http://127.0.0.2:5000", false)]
    [InlineData("127.0.0.1:5000", "http://registry.example.com:5000", false)]
    [InlineData("0.0.0.0:443", "https://localhost/v2", true)]
    [InlineData("*:5000", "http://[::1]:5000", true)]
    [InlineData("localhost:5000", "http://127.0.0.1:5000", true)]
    [InlineData("10.0.0.1:5000", "http://10.0.0.1:5000", true)]
    [InlineData("10.0.0.1:5000", "http://localhost:5000", false)]
    [InlineData("[::1]:5000", "http://[::1]:5000", true)]
    public void A_registry_where_Mirror_itself_listens_is_a_fault(string listen, string url, bool isFault)
    {
        var yaml = $"registries: {{ a: {{ url: '{url}' }} }}\nserver: {{ listen: '{listen}' }}";

        if (isFault)
        {
            Assert.Equal("mirror.yml:1:20: registries.a.url: this is where Mirror itself listens: write the registry's own address", Fault(yaml));
        }
        else
        {
            Load(yaml);
        }
    }

    [Theory]
    [InlineData("v 1")]
    [InlineData("-*")]
    [InlineData("[ab]")]
    [InlineData("a/b")]
    [InlineData("")]
    public void A_pattern_that_no_tag_can_match_is_a_fault(string pattern) =>
        Assert.Contains("is not a pattern for tags", Fault($"registries: {{ a: {{ immutableTags: ['{pattern}'], url: 'https://x' }} }}"), StringComparison.Ordinal);

    [Theory]
    [InlineData("Library/*")]
    [InlineData("team**")]
    [InlineData("docker.io/")]
    [InlineData("team-?")]
    [InlineData("")]
    public void A_pattern_that_no_repository_can_match_is_a_fault(string pattern) => Assert.EndsWith(
        "is not a pattern for repositories: write library/alpine, library/* or team-*/**",
        Fault($"registries: {{ a: {{ allow: ['{pattern}'], url: 'https://x' }} }}"),
        StringComparison.Ordinal);

    [Fact]
    public void Whoever_lists_what_is_allowed_lists_something() =>
        Assert.Contains("registries.a.allow", Fault("registries: { a: { allow: [], url: 'https://x' } }"), StringComparison.Ordinal);

    [Theory]
    [InlineData("v*.*.*", "v1.2.3", true)]
    [InlineData("v*.*.*", "v1.2", false)]
    [InlineData("v*.*.*", "v1.2.3-rc.1", true)]
    [InlineData("*", "latest", true)]
    [InlineData("20??-*", "2026-11", true)]
    [InlineData("20??-*", "202-11", false)]
    [InlineData("a", "a", true)]
    [InlineData("a", "ab", false)]
    [InlineData("*a", "aba", true)]
    [InlineData("a*", "ba", false)]
    [InlineData("*a*b", "xaxbxb", true)]
    [InlineData("a?", "a", false)]
    public void A_pattern_matches_whole_tags(string pattern, string tag, bool matches) =>
        Assert.Equal(matches, Oci.TagPattern.Parse(pattern).Matches(Oci.Tag.Parse(tag)));
}
