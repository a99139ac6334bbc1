using Mirror.Access;
using Mirror.Configuration;
using Mirror.Configuration.Reading;
using static Mirror.Tests.Configuration.Configured;

namespace Mirror.Tests.Configuration;

public sealed class EnvironmentTests
{
    [Fact]
    public void A_variable_in_a_value_is_replaced_and_an_escaped_one_is_not()
    {
        Assert.Equal("a-b-${B}$", OneRegistry("username: '${A}-${B_1}-$${B}$', password: x", ("A", "a"), ("B_1", "b")).Username);
        // What a variable holds is text: no variables, no null, no second reading.
        Assert.Equal("${A}", OneRegistry("username: x, password: '${P}'", ("P", "${A}")).Password?.Reveal());
        Assert.Equal("null", OneRegistry("username: x, password: '${P}'", ("P", "null")).Password?.Reveal());
    }

    [Fact]
    public void A_variable_that_is_not_set_is_a_fault() => Assert.Equal(
        ["mirror.yml:1:18: storage.path: the environment variable NOPE is not set: set it, or write $${ for the characters ${"],
        Faults("storage: { path: '${NOPE}' }"));

    [Theory]
    [InlineData("${")]
    [InlineData("${}")]
    [InlineData("${A")]
    [InlineData("${A B}")]
    [InlineData("${1A}")]
    [InlineData("${A:-x}")]
    public void Half_a_variable_is_a_fault(string value) =>
        Assert.Contains("has ${ without a name and }", Fault($"storage: {{ path: '{value}' }}", ("A", "a")), StringComparison.Ordinal);

    [Fact]
    public void What_a_variable_holds_is_not_in_a_fault() =>
        Assert.DoesNotContain("hunter2", Fault("server: { listen: '${TOKEN}' }", ("TOKEN", "hunter2")), StringComparison.Ordinal);

    [Fact]
    public void A_value_that_variables_make_huge_is_a_fault() => Assert.Contains(
        "longer than 65536 characters",
        Fault($"storage: {{ path: '{string.Concat(Enumerable.Repeat("${A}", 10_000))}' }}", ("A", new string('a', 1000))),
        StringComparison.Ordinal);

    [Fact]
    public void A_variable_with_a_keys_path_overrides_the_file()
    {
        var configuration = Load(
            "server: { listen: 127.0.0.1:5000 }\nobservability: { log: { level: loud } }",
            ("MIRROR_SERVER__LISTEN", "0.0.0.0:5000, localhost:5001"),
            ("MIRROR_STORAGE__PATH", "var"),
            ("MIRROR_OBSERVABILITY__LOG__LEVEL", "debug")).Configuration;

        Assert.Equal(["0.0.0.0:5000", "localhost:5001"], configuration.Server.Listen.Select(a => a.ToString()));
        Assert.Equal("/srv/var", configuration.Storage.Path);
        Assert.Equal(Microsoft.Extensions.Logging.LogLevel.Debug, configuration.Observability.Log.Level);
    }

    [Theory]
    [InlineData("pull,push", Rights.Pull | Rights.Push)]
    [InlineData("", Rights.None)]
    [InlineData(" ", Rights.None)]
    public void A_list_that_a_variable_sets_to_nothing_is_empty(string anonymous, Rights expected) => Assert.Equal(
        expected,
        Load("access: { anonymous: [pull, delete] }", ("MIRROR_ACCESS__ANONYMOUS", anonymous)).Configuration.Access.Anonymous);

    [Fact]
    public void A_list_that_must_not_be_empty_can_not_be_set_to_nothing() => Assert.Equal(
        "MIRROR_SERVER__LISTEN: server.listen: the list is empty: write at least one value, or remove the key",
        Fault("server: { listen: 127.0.0.1:5000 }", ("MIRROR_SERVER__LISTEN", "")));

    [Theory]
    [InlineData("localhost:5000", Rights.Pull | Rights.Push)]
    [InlineData("[::1]:5000", Rights.Pull | Rights.Push)]
    [InlineData("*:5000", Rights.Pull)]
    [InlineData("127.0.0.1:5000,10.0.0.7:5000", Rights.Pull)]
    public void Without_a_file_everybody_may_push_only_where_that_is_this_machine_alone(string listen, Rights anonymous)
    {
        var answer = ConfigurationReader.ReadEmbedded("/srv", new Dictionary<string, string> { ["MIRROR_SERVER__LISTEN"] = listen });

        Assert.Equal(anonymous, Assert.IsType<ConfigurationAnswer.Loaded>(answer).Configuration.Access.Anonymous);
    }

    [Fact]
    public void A_users_file_is_all_that_is_needed_for_users_who_may_do_everything_and_others_who_may_pull()
    {
        var answer = ConfigurationReader.ReadEmbedded("/srv", new Dictionary<string, string>
        {
            ["MIRROR_SERVER__LISTEN"] = "0.0.0.0:5000",
            ["MIRROR_ACCESS__USERS"] = "/etc/mirror/htpasswd",
        });

        var permissions = new Permissions(Assert.IsType<ConfigurationAnswer.Loaded>(answer).Configuration.Access);
        Assert.Equal(Rights.Pull | Rights.Push | Rights.Delete, permissions.Of(new Client("alice", Address: null), "team/app"));
        Assert.Equal(Rights.Pull, permissions.Of(new Client(User: null, Address: null), "team/app"));
    }

    [Fact]
    public void Overrides_hold_without_a_file_too()
    {
        var answer = ConfigurationReader.ReadEmbedded("/srv", new Dictionary<string, string> { ["MIRROR_SERVER__LISTEN"] = "*:80" });

        var configuration = Assert.IsType<ConfigurationAnswer.Loaded>(answer).Configuration;
        Assert.Equal("*:80", Assert.Single(configuration.Server.Listen).ToString());
        Assert.Equal("docker.io", Assert.Single(configuration.Registries).Name);
        Assert.Equal("/srv/data", configuration.Storage.Path);
    }

    [Fact]
    public void A_wrong_override_is_a_fault_of_the_variable() => Assert.Equal(
        [
            "mirror.yml:1:1: sevrer: unknown key; did you mean 'server'?",
            "MIRROR_OBSERVABILITY__LOG__LEVEL: observability.log.level: 'loud' is not one of the choices: write debug, info, warn or error",
            "MIRROR_REGISTRIES__GHCR: registries can not be set by a variable: write ${NAME} as a value in the file",
            "MIRROR_SERVER__LISTN: no key has this name; did you mean MIRROR_SERVER__LISTEN?",
        ],
        Faults(
            "sevrer:",
            ("MIRROR_SERVER__LISTN", "*:1"),
            ("MIRROR_REGISTRIES__GHCR", "x"),
            ("MIRROR_OBSERVABILITY__LOG__LEVEL", "loud")));

    [Fact]
    public void Variables_that_Kubernetes_makes_are_left_alone() =>
        Load(string.Empty, ("MIRROR_PORT", "tcp://10.0.0.1:80"), ("MIRROR_SERVICE_HOST", "10.0.0.1"), ("OTHER__NAME", "x"));
}
