using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;

namespace Mirror.Oci.Tests;

public sealed class RepositoryPatternTests
{
    [Theory]
    [InlineData("alpine", "alpine", true)]
    [InlineData("alpine", "alpines", false)]
    [InlineData("alpine", "library/alpine", false)]
    [InlineData("*", "alpine", true)]
    [InlineData("*", "library/alpine", false)]
    [InlineData("**", "alpine", true)]
    [InlineData("**", "a/b/c/d", true)]
    [InlineData("library/*", "library/alpine", true)]
    [InlineData("library/*", "library/a/b", false)]
    [InlineData("library/*", "library", false)]
    [InlineData("team-a/**", "team-a/app", true)]
    [InlineData("team-a/**", "team-a/app/web", true)]
    [InlineData("team-a/**", "team-a", false)]
    [InlineData("team-a/**", "team-ab/app", false)]
    [InlineData("team-*/**", "team-a/app", true)]
    [InlineData("team-*/**", "teams/app", false)]
    [InlineData("**/app", "a/b/app", true)]
    [InlineData("**/app", "app", false)]
    [InlineData("**/app", "a/app/b", false)]
    [InlineData("a/**/b/**/c", "a/x/b/b/c/c", true)]
    [InlineData("a/**/b/**/c", "a/b/x/c", false)]
    [InlineData("**/**", "a", false)]
    [InlineData("**/**", "a/b/c", true)]
    [InlineData("a*", "a", true)]
    [InlineData("*a*b", "xaxbxb", true)]
    [InlineData("*a*b", "xaxbx", false)]
    [InlineData("docker.io/library/*", "docker.io/library/alpine", true)]
    public void A_pattern_matches_whole_names(string pattern, string name, bool matches) =>
        Assert.Equal(matches, RepositoryPattern.Parse(pattern).Matches(name));

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/**")]
    [InlineData("team/")]
    [InlineData("Team/*")]
    [InlineData("team**")]
    [InlineData("team/a**b")]
    [InlineData("***")]
    [InlineData("team-?")]
    [InlineData("[ab]")]
    [InlineData("-*")]
    [InlineData("a..*")]
    [InlineData("a:*")]
    [InlineData("!a")]
    [InlineData("größe/*")]
    [InlineData("a*\n")]
    public void What_no_name_can_match_or_means_nothing_is_refused(string text) => Assert.False(RepositoryPattern.TryParse(text, out _));

    [Fact]
    public void A_pattern_matches_what_the_regular_expression_of_the_same_meaning_does()
    {
        var components = Gen.Elements("a", "b", "ab", "ba", "*", "a*", "*b", "*a*", "**");
        var patterns = components.NonEmptyListOf().Where(list => list.Count <= 6).Select(list => string.Join('/', list));
        var names = Gen.Elements("a", "b", "ab", "ba", "abab").NonEmptyListOf().Where(list => list.Count <= 8)
            .Select(list => string.Join('/', list));

        Check.QuickThrowOnFailure(Prop.ForAll(
            patterns.ToArbitrary(),
            names.ToArbitrary(),
            (pattern, name) => RepositoryPattern.Parse(pattern).Matches(name) == Expression(pattern).IsMatch(name)));
    }

    /// <summary>No comparison is made twice: backtracking would take longer here than anybody waits.</summary>
    [Fact]
    public void A_hostile_name_is_no_work_for_a_hostile_pattern()
    {
        var components = RepositoryPattern.Parse(string.Concat(Enumerable.Repeat("**/a/", 50)) + "b");
        var characters = RepositoryPattern.Parse(string.Concat(Enumerable.Repeat("*a", 120)) + "*b");

        for (var i = 0; i < 1000; i++)
        {
            Assert.False(components.Matches(string.Concat(Enumerable.Repeat("a/", 127)) + "a"));
            Assert.False(characters.Matches(new string('a', 255)));
        }
    }

    private static Regex Expression(string pattern) => new(
        "^" + string.Join('/', pattern.Split('/').Select(ExpressionOfPart)) + "$", RegexOptions.NonBacktracking);

    private static string ExpressionOfPart(string part) =>
        part == "**" ? "[^/]+(/[^/]+)*" : part.Replace("*", "[^/]*", StringComparison.Ordinal);
}
