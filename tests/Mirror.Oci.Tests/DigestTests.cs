namespace Mirror.Oci.Tests;

public sealed class DigestTests
{
    private const string Hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    [Fact]
    public void A_digest_is_read_whole_and_written_as_it_was()
    {
        var digest = Digest.Parse("sha256:" + Hex);

        Assert.Equal(DigestAlgorithm.Sha256, digest.Algorithm);
        Assert.Equal(Hex, digest.Hex);
        Assert.Equal("sha256:" + Hex, digest.ToString());
        Assert.Equal(digest, Digest.Sha256("test"u8));
        Assert.Equal(DigestAlgorithm.Sha512, Digest.Of(DigestAlgorithm.Sha512, "test"u8).Algorithm);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256")]
    [InlineData("sha256:")]
    [InlineData("docker")]
    [InlineData("latest!")]
    [InlineData("sha256:9f86d0")]
    [InlineData("sha256:" + Hex + "\n")]
    [InlineData("sha256:" + Hex + "0")]
    [InlineData("SHA256:" + Hex)]
    [InlineData("sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08")]
    [InlineData("sha512:" + Hex)]
    [InlineData("md5:9f86d081884c7d659a2feaa0c55ad015")]
    [InlineData("sha256:../../../../../../../../../../../../../../../../../../../etc/passwd/")]
    public void What_is_not_a_digest_is_refused(string text) => Assert.False(Digest.TryParse(text, out _));
}
