namespace Mirror.Oci.Tests;

public sealed class NameTests
{
    private const string Empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    [Theory]
    [InlineData("alpine")]
    [InlineData("library/alpine")]
    [InlineData("a/b/c/d/e")]
    [InlineData("0/1")]
    [InlineData("a.b_c__d-e---f")]
    [InlineData("blobs/manifests/tags")]
    [InlineData("ghcr.io/org/img")]
    public void A_repository_name_is_read_whole(string text)
    {
        Assert.True(RepositoryName.TryParse(text, out var name));
        Assert.Equal(text, name.ToString());
        Assert.Equal(text.Split('/'), name.Components);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("a/")]
    [InlineData("/a")]
    [InlineData("a//b")]
    [InlineData("A")]
    [InlineData("größe")]
    [InlineData("a_")]
    [InlineData("_a")]
    [InlineData("a..b")]
    [InlineData("a___b")]
    [InlineData("a._b")]
    [InlineData("a-")]
    [InlineData("a-_b")]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData("a:b")]
    [InlineData("a\n")]
    [InlineData("١٢")]
    public void What_is_no_repository_name_is_refused(string text) => Assert.False(RepositoryName.TryParse(text, out _));

    [Fact]
    public void A_name_has_at_most_255_characters_and_a_tag_128()
    {
        Assert.True(RepositoryName.TryParse(new string('a', 255), out _));
        Assert.False(RepositoryName.TryParse(new string('a', 256), out _));
        Assert.True(Tag.TryParse(new string('a', 128), out _));
        Assert.False(Tag.TryParse(new string('a', 129), out _));
    }

    [Fact]
    public void A_hostile_name_is_refused_in_linear_time() =>
        Assert.False(RepositoryName.TryParse(string.Concat(Enumerable.Repeat("a-", 127)) + "!", out _));

    [Theory]
    [InlineData("latest")]
    [InlineData("3.20")]
    [InlineData("_x")]
    [InlineData("V1.2-RC_3")]
    public void A_tag_is_read_whole(string text)
    {
        Assert.True(Reference.TryParse(text, out var reference));
        Assert.Equal(text, reference.ToString());
        Assert.Null(reference.Digest);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".hidden")]
    [InlineData("-x")]
    [InlineData("a b")]
    [InlineData("v1\n")]
    [InlineData("größe")]
    [InlineData("sha256:abc")]
    public void What_is_neither_tag_nor_digest_is_refused(string text) => Assert.False(Reference.TryParse(text, out _));

    [Fact]
    public void A_digest_is_a_reference_by_digest()
    {
        var digest = Digest.Sha256("x"u8);

        Assert.True(Reference.TryParse(digest.ToString(), out var reference));
        Assert.Equal(digest, reference.Digest);
        Assert.Null(reference.Tag);
    }

    [Theory]
    [InlineData("linux/amd64", "linux/amd64")]
    [InlineData("linux/arm/v7", "linux/arm/v7")]
    [InlineData("linux", null)]
    [InlineData("linux//v7", null)]
    [InlineData("a/b/c/d", null)]
    public void A_platform_is_read_as_Docker_writes_it(string text, string? expected)
    {
        Assert.Equal(expected is not null, Platform.TryParse(text, out var platform));
        Assert.Equal(expected, platform?.ToString());
    }

    [Theory]
    [InlineData("alpine", null, "alpine", "latest")]
    [InlineData("alpine:3.20", null, "alpine", "3.20")]
    [InlineData("ghcr.io/org/app:1.2", null, "ghcr.io/org/app", "1.2")]
    [InlineData("127.0.0.1:5001/org/app", "127.0.0.1:5001", "org/app", "latest")]
    [InlineData("localhost:5001/app:1", "localhost:5001", "app", "1")]
    [InlineData($"app:1@{Empty}", null, "app", Empty)]
    [InlineData($"ghcr.io/org/app@{Empty}", null, "ghcr.io/org/app", Empty)]
    public void An_image_is_read_as_people_name_it(string text, string? authority, string repository, string reference)
    {
        Assert.True(ImageName.TryParse(text, out var image));
        Assert.Equal((authority, repository, reference), (image.Authority, image.Repository.ToString(), image.Reference.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("@")]
    [InlineData("alpine:")]
    [InlineData("alpine@")]
    [InlineData("alpine@latest")]
    [InlineData("Alpine")]
    [InlineData("alpine:3.20:4")]
    [InlineData("/alpine")]
    [InlineData("alpine/")]
    [InlineData("host:1/")]
    [InlineData("https://ghcr.io/org/app")]
    [InlineData("../../etc/passwd")]
    [InlineData($"alpine:a b@{Empty}")]
    [InlineData($"alpine@{Empty}@{Empty}")]
    public void What_names_no_image_is_refused(string text) => Assert.False(ImageName.TryParse(text, out _));
}
