using FsCheck;
using FsCheck.Fluent;
using Mirror.Oci;
using Mirror.Sync.Jobs;

namespace Mirror.Sync.Tests.Jobs;

public sealed class TagSelectorTests
{
    private static readonly string Hex = new('a', 64);

    [Theory]
    [InlineData("", "", "1.0 latest edge", "1.0 latest edge")]
    [InlineData("3.*", "", "3.19 3.20 2.9 latest", "3.19 3.20")]
    [InlineData("3.* latest", "", "3.19 2.9 latest", "3.19 latest")]
    [InlineData("3.*", "*-rc*", "3.19 3.20-rc1", "3.19")]
    [InlineData("", "latest", "1.0 latest", "1.0")]
    [InlineData("latest", "latest", "1.0 latest", "")]
    [InlineData("regex:v?1\\.\\d+", "", "1.0 v1.1 1.0.1 xv1.1", "1.0 v1.1")]
    [InlineData("semver:>=1.2", "regex:.*-.*", "1.1 1.2 1.3-alpine 1.3", "1.2 1.3")]
    public void Tags_are_taken_that_are_included_and_not_excluded(string include, string exclude, string tags, string selected) =>
        Assert.Equal(selected, Selected(new TagSelection { Include = Filters(include), Exclude = Filters(exclude) }, tags));

    [Theory]
    [InlineData(1, "1.9 1.10 1.2", "1.10")]
    [InlineData(2, "1.9 1.10 1.2", "1.9 1.10")]
    [InlineData(1, "1.9 1.9-alpine 1.10 1.10-alpine 1.8-slim", "1.10 1.10-alpine 1.8-slim")]
    [InlineData(1, "1.9 1.10-rc1", "1.10-rc1")]
    [InlineData(1, "1.9 v1.10", "v1.10")]
    [InlineData(1, "1.9 latest", "1.9")]
    [InlineData(1, "2026-01-31 2026-02-01", "2026-02-01")]
    [InlineData(9, "1.9 1.10", "1.9 1.10")]
    public void The_newest_versions_of_each_variant_are_taken(int newest, string tags, string selected) =>
        Assert.Equal(selected, Selected(new TagSelection { Newest = newest }, tags));

    [Fact]
    public void What_is_named_in_full_is_taken_beside_the_newest() => Assert.Equal(
        "latest 1.0 1.3", Selected(new TagSelection { Include = Filters("latest 1.0 1.*"), Newest = 1 }, "latest 1.0 1.1 1.2 1.3"));

    [Fact]
    public void Each_tag_has_a_reason()
    {
        var selection = new TagSelection { Include = Filters("1.* latest-*"), Exclude = Filters("*-rc*"), Newest = 1 };

        var decisions = new TagSelector(selection).Select(Tags($"1.1 1.2 1.3-rc1 2.0 latest-1 sha256-{Hex}.sig"));

        Assert.Equal(
            [
                new TagReason.NotNewest(1),
                new TagReason.Selected(),
                new TagReason.Excluded(selection.Exclude[0]),
                new TagReason.NotIncluded(),
                new TagReason.NoVersion(),
                new TagReason.BelongsTo(Digest.Parse($"sha256:{Hex}")),
            ],
            decisions.Select(decision => decision.Reason));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData(".sig", true)]
    [InlineData(".att", true)]
    [InlineData(".sbom", true)]
    [InlineData(".sig.sig", false)]
    [InlineData(".txt", false)]
    [InlineData("0", false)]
    public void What_belongs_to_a_manifest_is_never_selected_by_itself(string suffix, bool belongs) => Assert.Equal(
        belongs ? "" : $"sha256-{Hex}{suffix}", Selected(new TagSelection { Include = Filters($"sha256-{Hex}{suffix} *") }, $"sha256-{Hex}{suffix}"));

    [Fact]
    public void Creation_times_are_wanted_only_where_they_decide()
    {
        var byCreation = new TagSelection { Newest = 2, By = NewestBy.Created, Exclude = Filters("old*"), Include = Filters("* pinned") };

        Assert.Equal(["a", "b", "c"], Undecided(byCreation, $"a b c old-1 pinned sha256-{Hex}.sig"));
        Assert.Empty(Undecided(byCreation, "a b old-1 pinned"));
        Assert.Empty(Undecided(byCreation with { By = NewestBy.Version }, "a b c"));
        Assert.Empty(Undecided(byCreation with { Newest = null }, "a b c"));
    }

    [Fact]
    public void The_last_made_are_taken_whatever_they_are_called()
    {
        var made = Tags("a 9.9 c d").Zip(new[] { 3, 1, 4, 2 }).ToDictionary(m => m.First, m => DateTimeOffset.UnixEpoch.AddDays(m.Second));
        made.Remove(Tag.Parse("d"));
        var decisions = new TagSelector(new TagSelection { Newest = 2, By = NewestBy.Created }).Select(Tags("a 9.9 c d"), made);

        Assert.Equal(
            [new TagReason.Selected(), new TagReason.NotNewest(2), new TagReason.Selected(), new TagReason.NoCreationTime()],
            decisions.Select(decision => decision.Reason));
    }

    [Fact]
    public void Whatever_order_a_registry_lists_tags_in_the_same_are_taken() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Elements("1", "1.0", "v1", "1.2", "1.2-a", "1.0-a", "2-rc1", "2rc.1", "latest").ListOf().ToArbitrary(),
        Gen.Choose(1, 3).ToArbitrary(),
        (tags, newest) =>
        {
            var selector = new TagSelector(new TagSelection { Newest = newest });
            var there = selector.Select([.. tags.Select(Tag.Parse)]);
            var back = selector.Select([.. Enumerable.Reverse(tags).Select(Tag.Parse)]);
            return there.ToHashSet().SetEquals(back)
                && there.Count == tags.Distinct().Count()
                && there.Where(d => d.IsSelected).GroupBy(d => TagVersion.Find(d.Tag)!.Variant).All(variant => variant.Count() <= newest);
        }));

    [Theory]
    [InlineData("semver:", "it is not a range of versions")]
    [InlineData("regex:[", "UnterminatedBracket at character 2")]
    [InlineData("a b", "it is not a pattern for tags")]
    public void What_is_no_filter_is_refused_with_the_reason(string text, string reason)
    {
        Assert.False(TagFilter.TryParse(text, out _, out var fault));
        Assert.Equal(reason, fault);
    }

    private static string Selected(TagSelection selection, string tags) =>
        string.Join(' ', new TagSelector(selection).Select(Tags(tags)).Where(decision => decision.IsSelected).Select(decision => decision.Tag));

    private static IEnumerable<string> Undecided(TagSelection selection, string tags) =>
        new TagSelector(selection).FindUndecided(Tags(tags)).Select(tag => tag.ToString());

    private static List<Tag> Tags(string tags) => [.. tags.Split(' ').Select(Tag.Parse)];

    private static List<TagFilter> Filters(string filters) => [.. filters.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(text => TagFilter.TryParse(text, out var filter, out var fault) ? filter : throw new FormatException(fault))];
}
