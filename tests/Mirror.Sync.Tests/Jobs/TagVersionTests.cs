using FsCheck;
using FsCheck.Fluent;
using Mirror.Oci;
using Mirror.Sync.Jobs;

namespace Mirror.Sync.Tests.Jobs;

public sealed class TagVersionTests
{
    private static readonly Gen<string> Tags =
        from v in Gen.Elements("", "v")
        from numbers in Gen.Elements("0", "1", "1.2", "1.2.0", "1.10", "2", "2026", "1.2.3.4")
        from preRelease in Gen.Elements("", "-alpha", "-alpha.2", "beta1", "-rc", "-rc.1", "rc10", "-rc-2")
        from build in Gen.Elements("", "-1", "-01-31", "-2")
        from variant in Gen.Elements("", "-alpine", "-alpine3.20", "_x86")
        select v + numbers + preRelease + build + variant;

    [Theory]
    [InlineData("3.20", "3.20", "")]
    [InlineData("v1.2", "1.2", "")]
    [InlineData("24.04", "24.4", "")]
    [InlineData("7", "7", "")]
    [InlineData("1.2.3-alpine", "1.2.3", "-alpine")]
    [InlineData("1.2.3-alpine3.20", "1.2.3", "-alpine3.20")]
    [InlineData("3.13-slim-bookworm", "3.13", "-slim-bookworm")]
    [InlineData("1.2.3-rc1", "1.2.3 Candidate 1", "")]
    [InlineData("1.2.3-rc.1", "1.2.3 Candidate 1", "")]
    [InlineData("1.2.3-RC-1", "1.2.3 Candidate 1", "")]
    [InlineData("1.2.3rc1", "1.2.3 Candidate 1", "")]
    [InlineData("1.2.3.beta", "1.2.3 Beta ", "")]
    [InlineData("1.2.3-alpha.2.1", "1.2.3 Alpha 2.1", "")]
    [InlineData("3.13-rc-slim", "3.13 Candidate ", "-slim")]
    [InlineData("3.13-rc1-alpine3.20", "3.13 Candidate 1", "-alpine3.20")]
    [InlineData("1.2.3-betamax", "1.2.3", "-betamax")]
    [InlineData("1.2.3-pre1", "1.2.3", "-pre1")]
    [InlineData("2026-01-31", "2026 #1.31", "")]
    [InlineData("1.2.3-2", "1.2.3 #2", "")]
    [InlineData("1.2.3-2-alpine", "1.2.3 #2", "-alpine")]
    [InlineData("1.2.3-4f5e6a", "1.2.3", "-4f5e6a")]
    [InlineData("1.2.3_build4", "1.2.3", "_build4")]
    public void A_version_has_numbers_and_perhaps_what_comes_before_a_release_a_build_and_a_variant(string tag, string meaning, string variant)
    {
        var version = TagVersion.Find(Tag.Parse(tag));

        Assert.NotNull(version);
        Assert.Equal((meaning, variant), (MeaningOf(version), version.Variant));
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("edge")]
    [InlineData("v")]
    [InlineData("vanilla-1.2")]
    [InlineData("bookworm-20260101")]
    [InlineData("4f5e6a7")]
    [InlineData("3.14.0b1")]
    [InlineData("1.x")]
    [InlineData("1.2.")]
    [InlineData("1234567890123456789")]
    public void What_names_no_version_is_none(string tag) => Assert.Null(TagVersion.Find(Tag.Parse(tag)));

    [Theory]
    [InlineData("1.9", "1.10")]
    [InlineData("1.2", "1.2.1")]
    [InlineData("1.2.3-alpha", "1.2.3-beta")]
    [InlineData("1.2.3-beta.9", "1.2.3-rc1")]
    [InlineData("1.2.3-rc2", "1.2.3-rc10")]
    [InlineData("1.2.3-rc10", "1.2.3")]
    [InlineData("1.2.3", "1.2.3-2")]
    [InlineData("1.2.3-9", "1.2.3-10")]
    [InlineData("2025-12-31", "2026-01-01")]
    [InlineData("1.2.3-2", "1.2.4-rc1")]
    public void The_later_version_is_the_greater_one(string earlier, string later)
    {
        Assert.True(TagVersion.Order.Compare(Version(earlier), Version(later)) < 0);
        Assert.True(TagVersion.Order.Compare(Version(later), Version(earlier)) > 0);
    }

    [Theory]
    [InlineData("1.2", "1.2.0")]
    [InlineData("v1.2", "1.2")]
    [InlineData("1.2-alpine", "1.2")]
    [InlineData("1.2-rc1", "1.2rc.1")]
    public void What_means_the_same_is_equal(string one, string other) => Assert.Equal(0, TagVersion.Order.Compare(Version(one), Version(other)));

    [Fact]
    public void The_order_is_total() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Three(Tags).ToArbitrary(),
        tags =>
        {
            var (a, b, c) = (Version(tags.Item1), Version(tags.Item2), Version(tags.Item3));
            var order = TagVersion.Order;
            return order.Compare(a, a) == 0
                && Math.Sign(order.Compare(a, b)) == -Math.Sign(order.Compare(b, a))
                && (order.Compare(a, b) > 0 || order.Compare(b, c) > 0 || order.Compare(a, c) <= 0);
        }));

    [Fact]
    public void Any_tag_is_a_version_or_none() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Elements("v", "0", "12", ".", "-", "_", "rc", "alpha", "x", "9999999999").NonEmptyListOf().Select(string.Concat).ToArbitrary(),
        text => !Tag.TryParse(text, out var tag) || TagVersion.Find(tag) is null or { Numbers.Count: > 0 }));

    [Theory]
    [InlineData(">=1.2 <2", "1.2 1.2.0 1.9.9-alpine 1.25-2", "1.1.9 2 2.0 2.0.0-rc1 1.3-rc1 1.2-beta latest 1.2.3b1")]
    [InlineData(">=1.2, <2", "1.2", "2")]
    [InlineData(">= 1.2 < 2", "1.2", "2")]
    [InlineData("1.2", "1.2 1.2.0 1.2.9", "1.3 1.1 1.2-rc1")]
    [InlineData("=1.2.3", "1.2.3 v1.2.3 1.2.3-1 1.2.3-alpine", "1.2.4 1.2.3.1")]
    [InlineData("1.x", "1 1.0 1.9.9", "0.9 2.0")]
    [InlineData("1.2.*", "1.2.9", "1.3")]
    [InlineData("*", "0 1.2 2026-01-01", "1.0-rc1 latest")]
    [InlineData(">1.2", "1.3 2", "1.2 1.2.9 1.1")]
    [InlineData(">1.2.3", "1.2.4", "1.2.3 1.2.3-4")]
    [InlineData("<=1.2", "1.2.9 1.2 0", "1.3")]
    [InlineData("!=1.2", "1.3 1.1.9", "1.2.9")]
    [InlineData("^1.2.3", "1.2.3 1.9", "1.2.2 2.0")]
    [InlineData("^0.2.3", "0.2.3 0.2.9", "0.3 0.2.2")]
    [InlineData("^0.0.3", "0.0.3", "0.0.4")]
    [InlineData("^0", "0.9", "1.0")]
    [InlineData("~1.2.3", "1.2.3 1.2.9", "1.3 1.2.2")]
    [InlineData("~1.2", "1.2.0 1.2.9", "1.3")]
    [InlineData("~1", "1.9", "2")]
    [InlineData("1.2 - 1.4", "1.2 1.3 1.4.9", "1.1 1.5")]
    [InlineData("1.2 || >=3", "1.2.5 3 4.1", "2")]
    [InlineData(">=1.3.0-rc1", "1.3.0-rc1 1.3.0-rc2 1.3 1.4-beta", "1.3.0-beta 1.2")]
    [InlineData(">=1.3-rc <2", "1.3-rc1 1.9-alpha", "2.0-rc1 1.3-beta")]
    [InlineData("<1.3.0-rc2", "1.3.0-rc1 1.2", "1.3.0-rc2 1.3")]
    [InlineData("1.2 || 3.0-rc1", "1.2 3.0-rc1", "1.2-rc1 3.0")]
    public void A_range_takes_what_is_in_it(string range, string inside, string outside)
    {
        Assert.True(TagFilter.TryParse($"semver:{range}", out var filter, out _));

        Assert.All(inside.Split(' '), tag => Assert.True(filter.Matches(Tag.Parse(tag)), tag));
        Assert.All(outside.Split(' '), tag => Assert.False(filter.Matches(Tag.Parse(tag)), tag));
    }

    [Fact]
    public void Every_released_version_is_below_at_or_above_any_bound() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Two(Tags.Where(tag => Version(tag).PreRelease is null)).ToArbitrary(),
        tags =>
        {
            var (version, bound) = (Version(tags.Item1), string.Join('.', Version(tags.Item2).Numbers));
            return Range($"<{bound}").Contains(version) != Range($">={bound}").Contains(version)
                && Range($"<={bound}").Contains(version) != Range($">{bound}").Contains(version)
                && Range($"={bound}").Contains(version) != Range($"!={bound}").Contains(version)
                && Range($"={bound}").Contains(version) == Range($">={bound} <={bound}").Contains(version);
        }));

    [Theory]
    [InlineData("")]
    [InlineData("||")]
    [InlineData("1.2 ||")]
    [InlineData(">=")]
    [InlineData("latest")]
    [InlineData("=>1.2")]
    [InlineData("1.x.2")]
    [InlineData("1.2-alpine")]
    [InlineData("1 - 2 - 3")]
    public void What_is_no_range_is_refused(string range) => Assert.False(VersionRange.TryParse(range, out _));

    private static TagVersion Version(string tag) => TagVersion.Find(Tag.Parse(tag)) ?? throw new FormatException(tag);

    private static VersionRange Range(string text) => VersionRange.TryParse(text, out var range) ? range : throw new FormatException(text);

    private static string MeaningOf(TagVersion version) =>
        string.Join('.', version.Numbers)
        + (version.PreRelease is { } kind ? $" {kind} {string.Join('.', version.PreReleaseNumbers)}" : "")
        + (version.Build.Count > 0 ? $" #{string.Join('.', version.Build)}" : "");
}
