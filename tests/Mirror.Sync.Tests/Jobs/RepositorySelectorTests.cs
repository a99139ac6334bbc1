using Mirror.Oci;
using Mirror.Sync.Jobs;

namespace Mirror.Sync.Tests.Jobs;

public sealed class RepositorySelectorTests
{
    [Theory]
    [InlineData("docker.io", true)]
    [InlineData("registry.example.com/mirror/deep", true)]
    [InlineData("local", true)]
    [InlineData("local/team-a", true)]
    [InlineData("cache", true)]
    [InlineData("cache/team-a", false)]
    [InlineData("docker.io/", false)]
    [InlineData("/docker.io", false)]
    [InlineData("https://docker.io", false)]
    [InlineData("localhost:5000", false)]
    [InlineData("Docker.io", false)]
    [InlineData("docker.io/Library", false)]
    [InlineData("", false)]
    public void A_side_is_a_registry_with_a_path_or_ourselves(string text, bool isOne)
    {
        Assert.Equal(isOne, Endpoint.TryParse(text, out var endpoint));
        Assert.Equal(isOne ? text : null, endpoint?.ToString());
    }

    [Theory]
    [InlineData("registry.example.com", "registry.example.org", "team-a/app", "team-a/app>team-a/app")]
    [InlineData("registry.example.com", "registry.example.org/mirror", "team-a/app", "team-a/app>mirror/team-a/app")]
    [InlineData("registry.example.com/team-a", "registry.example.org/mirror", "app", "team-a/app>mirror/app")]
    [InlineData("registry.example.com/team-a", "local", "app", "team-a/app>app")]
    [InlineData("registry.example.com/team-a", "cache", "app", "team-a/app>team-a/app")]
    [InlineData("local/team-a", "local/team-b", "app", "team-a/app>team-b/app")]
    [InlineData("docker.io", "local/hub", "alpine", "library/alpine>hub/library/alpine")]
    [InlineData("docker.io/library", "local/hub", "alpine", "library/alpine>hub/alpine")]
    [InlineData("docker.io", "cache", "alpine", "library/alpine>library/alpine")]
    [InlineData("registry.example.com", "docker.io/company", "alpine", "alpine>company/alpine")]
    public void The_path_at_the_source_is_taken_away_and_the_one_at_the_target_is_put_before(string from, string to, string name, string pair) =>
        Assert.Equal(pair, Shown(Select(from, to, [name])));

    [Theory]
    [InlineData("team-a/**", "team-a/app team-a/app/web")]
    [InlineData("team-*/app", "team-a/app team-b/app")]
    [InlineData("regex:team-[ab]/(app|lib)", "team-a/app team-b/app team-b/lib")]
    [InlineData("regex:app", "")]
    [InlineData("regex:.*/a|.*/ap|.*/app", "team-a/app team-b/app")]
    [InlineData("team-a/app", "team-a/app")]
    [InlineData("team-c/unlisted", "team-c/unlisted")]
    public void Patterns_are_for_what_the_source_lists_and_names_for_what_they_say(string filter, string selected)
    {
        var answer = Select("registry.example.com", "local", [filter], "team-a/app", "team-a/app/web", "team-b/app", "team-b/lib", "team-a");

        Assert.Equal(selected, string.Join(' ', answer.Repositories.Select(pair => pair.Source)));
        Assert.Equal(selected.Length == 0 ? [filter] : [], answer.Unmatched.Select(unmatched => $"{unmatched}"));
    }

    [Fact]
    public void Behind_a_path_only_what_lies_there_is_selected_by_the_rest_of_its_name() => Assert.Equal(
        "team-a/app>app team-a/x/y>x/y",
        Shown(Select("registry.example.com/team-a", "local", ["**"], "team-a/app", "team-ab/app", "team-a", "team-a/x/y")));

    [Theory]
    [InlineData("team-a/app", false)]
    [InlineData("team-*/app", true)]
    [InlineData("regex:team-a/app", true)]
    public void A_catalog_is_needed_where_names_alone_do_not_say_it(string filter, bool isNeeded) =>
        Assert.Equal(isNeeded, Selector("docker.io", "local", ["alpine", filter]).NeedsCatalog);

    [Fact]
    public void What_several_filters_select_is_copied_once() => Assert.Equal(
        "library/alpine>library/alpine", Shown(Select("docker.io", "local", ["alpine", "library/alpine", "library/*"], "library/alpine")));

    [Fact]
    public void Two_repositories_that_would_get_one_name_are_named_before_anything_is_copied()
    {
        var answer = Select("registry.example.com", "docker.io", ["**"], "alpine", "library/alpine", "team-a/app");

        Assert.Equal(["alpine and library/alpine would both be library/alpine at docker.io"], answer.Faults);
    }

    [Fact]
    public void A_name_that_gets_too_long_is_named_before_anything_is_copied() => Assert.Single(
        Select("registry.example.com", "local/mirror", [new string('a', 250)]).Faults,
        fault => fault.EndsWith("would have a longer name at local/mirror than a repository may have", StringComparison.Ordinal));

    [Theory]
    [InlineData("local", "local/backup", "app>backup/app")]
    [InlineData("local/backup", "local", "backup/app>app backup/backup/app>backup/app")]
    [InlineData("local", "registry.example.com/backup", "app>backup/app backup/app>backup/backup/app backup/backup/app>backup/backup/backup/app")]
    public void Copies_are_not_copied_again_where_the_target_is_a_part_of_the_source(string from, string to, string pairs) =>
        Assert.Equal(pairs, Shown(Select(from, to, ["**"], "app", "backup/app", "backup/backup/app")));

    [Theory]
    [InlineData("regex:", "the expression is empty")]
    [InlineData("regex:a(b", "InsufficientClosingParentheses at character 4")]
    [InlineData("regex:a)(b", "InsufficientOpeningParentheses at character ")]
    [InlineData("regex:(?=a)b", "it looks ahead")]
    [InlineData("regex:(a)\\1", "it looks ahead")]
    [InlineData("Team/*", "it is neither a name nor a pattern")]
    public void What_is_no_filter_is_refused_with_the_reason(string text, string reason)
    {
        Assert.False(RepositoryFilter.TryParse(text, out _, out var fault));
        Assert.StartsWith(reason, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cache", "local", "from: the cache is no source")]
    [InlineData("local/a", "local/a", "to: this is where the images come from")]
    [InlineData("docker.io", "docker.io", "to: this is where the images come from")]
    [InlineData("local", "cache", "to: the cache holds other registries' images")]
    [InlineData("local/a", "local/b", null)]
    public void Sides_that_do_not_go_together_are_a_fault(string from, string to, string? fault)
    {
        var job = new SyncJob { Name = "job", From = Side(from), To = Side(to), Repositories = [Filter("app")] };

        var faults = job.FindFaults().Select(found => $"{found.Part}: {found.What}").ToList();
        Assert.Equal(fault is null ? 0 : 1, faults.Count);
        Assert.All(faults, found => Assert.StartsWith(fault!, found, StringComparison.Ordinal));
    }

    [Fact]
    public void What_the_cache_can_not_do_is_a_fault() => Assert.Equal(
        ["delete", "index"],
        new SyncJob
        {
            Name = "job",
            From = Side("docker.io"),
            To = Side("cache"),
            Repositories = [Filter("alpine")],
            Platforms = [new Platform("linux", "amd64")],
            Index = IndexMode.Rewrite,
            Delete = true,
        }.FindFaults().Select(fault => fault.Part));

    [Theory]
    [InlineData("10%", 5, 1)]
    [InlineData("10%", 100, 10)]
    [InlineData("10%", 0, 1)]
    [InlineData("100%", 7, 7)]
    [InlineData("3", 100, 3)]
    public void So_many_tags_may_go_in_one_run(string limit, int existing, int allowed)
    {
        Assert.True(DeleteLimit.TryParse(limit, out var parsed));
        Assert.Equal((allowed, limit), (parsed.Of(existing), parsed.ToString()));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("0%")]
    [InlineData("101%")]
    [InlineData("-1")]
    [InlineData("1.5%")]
    [InlineData("%")]
    public void What_is_no_limit_is_refused(string text) => Assert.False(DeleteLimit.TryParse(text, out _));

    private static Endpoint Side(string text) => Endpoint.TryParse(text, out var side) ? side : throw new FormatException(text);

    private static RepositoryFilter Filter(string text) =>
        RepositoryFilter.TryParse(text, out var filter, out var fault) ? filter : throw new FormatException(fault);

    private static RepositorySelector Selector(string from, string to, string[] filters) => new(Side(from), Side(to), [.. filters.Select(Filter)]);

    private static SelectedRepositories Select(string from, string to, string[] filters, params string[] catalog) =>
        Selector(from, to, filters).Select([.. catalog.Select(RepositoryName.Parse)]);

    private static string Shown(SelectedRepositories selected)
    {
        Assert.Empty(selected.Faults);
        return string.Join(' ', selected.Repositories.Select(pair => $"{pair.Source}>{pair.Target}"));
    }
}
