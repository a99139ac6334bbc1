using FsCheck;
using FsCheck.Fluent;
using static Mirror.Tests.Configuration.Configured;

namespace Mirror.Tests.Configuration;

public sealed class FaultTests
{
    [Fact]
    public void All_faults_are_listed_at_once_each_with_its_place_and_what_to_write()
    {
        var faults = Faults("""
            server:
              listen: [5000, 127.0.0.1:5001]
            storage: ./data
            registries:
              docker.io:
                tagFreshnes: 5m
                serveStale: -1s
            observability: { log: { level: loud, format: json } }
            """);

        Assert.Equal(
            [
                "mirror.yml:2:12: server.listen[0]: '5000' is not an address to listen on: "
                    + "write 127.0.0.1:5000, localhost:5000, '[::1]:5000' or '*:5000'",
                "mirror.yml:3:10: storage: this is not a mapping: write 'key: value' lines, indented",
                "mirror.yml:6:5: registries.docker.io.tagFreshnes: unknown key; did you mean 'tagFreshness'?",
                "mirror.yml:7:17: registries.docker.io.serveStale: '-1s' is not a duration: "
                    + "write a whole number and a unit, such as 500ms, 30s, 5m, 12h or 7d",
                "mirror.yml:8:32: observability.log.level: 'loud' is not one of the choices: write debug, info, warn or error",
            ],
            faults);
    }

    [Theory]
    [InlineData("sevrer: {}", "mirror.yml:1:1: sevrer: unknown key; did you mean 'server'?")]
    [InlineData("server: { Listen: '*:1' }", "mirror.yml:1:11: server.Listen: unknown key; did you mean 'listen'?")]
    [InlineData(
        "registries: { a: { tag_freshness: 1m } }",
        "mirror.yml:1:20: registries.a.tag_freshness: unknown key; did you mean 'tagFreshness'?")]
    public void A_misspelt_key_is_named_with_the_nearest_known_one(string yaml, string fault) => Assert.Equal([fault], Faults(yaml));

    [Fact]
    public void A_key_that_is_like_no_other_is_named_with_those_that_there_are() => Assert.Equal(
        ["mirror.yml:1:1: proxy: unknown key; known here are server, storage, local, registries, access, sync, observability"],
        Faults("proxy: x"));

    [Fact]
    public void A_key_that_is_there_twice_is_a_fault_beside_the_others() => Assert.Equal(
        [
            "mirror.yml:3:3: registries.docker.io: duplicate key; it is there in line 2 already",
            "mirror.yml:4:1: server: duplicate key; it is there in line 1 already",
        ],
        Faults("server:\nregistries: { docker.io: {},\n  docker.io: {} }\nserver:"));

    [Theory]
    [InlineData("server:\n  listen: x\n path: y", "mirror.yml:3:2: not valid YAML")]
    [InlineData("server:\n  listen: *:5000", "mirror.yml:2:11: there is no anchor for the alias '*:5000': quote text that begins with *")]
    [InlineData("a: &x [*x]", "mirror.yml:1:8: there is no anchor for the alias")]
    [InlineData("server:\n---\nstorage:", "mirror.yml:2:1: a second document starts here")]
    [InlineData("server: !env X", "mirror.yml:1:9: the tag '!env' means nothing here")]
    [InlineData("[a]: b", "mirror.yml:1:1: a key is a word")]
    [InlineData("server:\n  \0", "mirror.yml:2:3: a NUL character stands here")]
    [InlineData("x: \"\\UFFFFFFFF\"", "mirror.yml:1:2: not valid YAML from here on")]
    public void What_is_not_YAML_is_one_fault_with_its_place(string yaml, string fault) =>
        Assert.StartsWith(fault, Fault(yaml), StringComparison.Ordinal);

    [Theory]
    [InlineData("- a", "mirror.yml:1:1: this is not a mapping")]
    [InlineData("server: [a]", "mirror.yml:1:9: server: this is not a mapping")]
    [InlineData("registries: docker.io", "mirror.yml:1:13: registries: this is not a mapping")]
    [InlineData("storage: { path: [a] }", "mirror.yml:1:18: storage.path: this is a list: write one value")]
    [InlineData("storage: { path: { a: b } }", "mirror.yml:1:18: storage.path: this is a mapping: write a value")]
    [InlineData("storage: { path: }", "mirror.yml:1:18: storage.path: there is no value")]
    [InlineData("server: { listen: [[a]] }", "mirror.yml:1:20: server.listen[0]: this is a list: write one value")]
    [InlineData("server: { listen: [] }", "mirror.yml:1:11: server.listen: the list is empty")]
    [InlineData("access: { rules: [{ repositories: ['a/**'], users: [], allow: [pull] }] }", "mirror.yml:1:45: access.rules[0].users: the list is empty")]
    [InlineData(
        "access: { rules: [{ repositories: ['a/**'], networks: ['::ffff:10.0.0.0/104'], allow: [pull] }] }",
        "mirror.yml:1:56: access.rules[0].networks[0]: '::ffff:10.0.0.0/104' is IPv4 in the form of IPv6")]
    [InlineData("access: { rules: [{ repositories: ['a/**'], networks: [], allow: [pull] }] }", "mirror.yml:1:45: access.rules[0].networks: the list is empty")]
    [InlineData("access: { rules: [{ repositories: [], allow: [pull] }] }", "mirror.yml:1:21: access.rules[0].repositories: the list is empty")]
    [InlineData("storage: { path: ~/data }", "mirror.yml:1:18: storage.path: '~/data' begins with ~")]
    public void A_value_of_the_wrong_shape_is_a_fault_that_says_which_is_right(string yaml, string fault) =>
        Assert.StartsWith(fault, Fault(yaml), StringComparison.Ordinal);

    [Fact]
    public void Aliases_repeat_what_they_stand_for_but_can_not_be_piled_up()
    {
        var shared = Load("registries: { a: &shared { tagFreshness: 1m }, b: *shared }").Configuration.Registries;
        Assert.All(shared, r => Assert.Equal(TimeSpan.FromMinutes(1), r.TagFreshness));

        var bomb = "a0: &a0 [x]\n" + string.Concat(Enumerable.Range(1, 30).Select(i =>
            $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 9))}]\n"));
        Assert.Contains("comes to more than 100000 values", Fault(bomb), StringComparison.Ordinal);
        Assert.Contains("nested deeper than 32 levels", Fault(new string('[', 100_000)), StringComparison.Ordinal);
    }

    [Fact]
    public void Faults_are_fit_for_a_terminal_whatever_the_file_holds()
    {
        var fault = Fault($"\"\\e[2J\\n\\u202e{new string('x', 5000)}\": 1");

        Assert.DoesNotContain(fault, char.IsControl);
        Assert.True(fault.Length < 300);
    }

    [Fact]
    public void Arbitrary_text_is_answered_and_never_throws() =>
        Check.QuickThrowOnFailure(Prop.ForAll<string?>(text => Read(text ?? string.Empty, ("A", "a")) is not null));

    [Fact]
    public void Arbitrary_scraps_of_a_configuration_are_answered_and_never_throw()
    {
        string[] scraps =
        [
            "server", "listen", "registries", "docker.io", "url", "password", "realms",
            ":", ": ", "- ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ",",
            "&a ", "*a ", "\"", "'", "${A}", "${", "$${A}", "127.0.0.1:5000", "5m",
            "https://x", "|\n", "---\n", "? ", "#", "!", "%", "\t", "é", "\ud800", "<<",
        ];
        Check.QuickThrowOnFailure(Prop.ForAll(
            Gen.Elements(scraps).ListOf().Select(string.Concat).ToArbitrary(),
            text => Read(text, ("A", "a")) is not null));
    }
}
