using System.Security.Cryptography;
using Mirror.Configuration;
using Mirror.Testing;
using static Mirror.Tests.Configuration.Configured;

namespace Mirror.Tests.Configuration;

/// <summary>The keys of another issuer's tokens, as the configuration names them.</summary>
public sealed class TokenKeysTests : IDisposable
{
    private const string Ed25519 =
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    private readonly TemporaryDirectory _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tokens_of_another_issuer_are_configured()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var path = Write(key.ExportSubjectPublicKeyInfoPem());

        var access = Load($"access: {{ tokens: {{ issuer: auth, service: me, keys: {path}, realm: 'https://auth.example.com/token?a=b' }} }}").Configuration.Access;

        Assert.Equal(new TokenIssuerOptions("auth", "me", path, new Uri("https://auth.example.com/token?a=b")), access.Tokens);
        Assert.Null(Load("access: { anonymous: [] }").Configuration.Access.Tokens);
    }

    [Fact]
    public void What_is_missing_is_named() => Assert.Equal(
        [
            "mirror.yml:1:11: access.tokens.service: tokens of another issuer need this",
            "mirror.yml:1:11: access.tokens.keys: tokens of another issuer need this",
        ],
        Faults("access: { tokens: { issuer: auth } }"));

    [Fact]
    public void A_thumbprint_is_the_one_of_RFC_7638()
    {
        var path = Write(
            """
            {"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
            """);

        var key = Assert.Single(TokenKeys.Read(path).Keys!.Keys);

        Assert.Contains("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", key.Ids);
        Assert.Contains("2011-04-29", key.Ids);
        Assert.Equal(["RS256"], key.Algorithms);
    }

    [Theory]
    [InlineData("", "holds no PEM public key or certificate")]
    [InlineData("ssh-rsa AAAA", "holds no PEM public key or certificate")]
    [InlineData("{", "is not JSON")]
    [InlineData("{}", "holds a key that is neither")]
    [InlineData("""{"keys": []}""", "holds no key")]
    [InlineData("""{"keys": 1}""", "holds no key")]
    [InlineData("""{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}""", "holds a private key")]
    [InlineData("""{"keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB", "d": "AQ"}]}""", "holds a private key")]
    [InlineData("""{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}""", "holds a key of EdDSA")]
    [InlineData("""{"keys": [{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}]}""", "of a curve other than")]
    [InlineData("""{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}""", "damaged")]
    [InlineData("""{"keys": [{"kty": "RSA", "n": "!", "e": "AQAB"}]}""", "damaged")]
    [InlineData("""{"keys": [{"kty": "RSA", "use": "enc", "n": "AQ", "e": "AQAB"}]}""", "not for signatures")]
    [InlineData(Ed25519, "holds a key of EdDSA")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged")]
    public void A_file_without_a_key_that_is_of_use_is_a_fault(string content, string fault) =>
        Assert.Contains(fault, FaultOf(content), StringComparison.Ordinal);

    [Fact]
    public void A_private_key_and_one_that_is_too_small_are_faults()
    {
        using var key = RSA.Create(1024);

        Assert.Contains("holds a private key", FaultOf(key.ExportPkcs8PrivateKeyPem()), StringComparison.Ordinal);
        Assert.Contains("of 1024 bits", FaultOf(key.ExportSubjectPublicKeyInfoPem()), StringComparison.Ordinal);
        Assert.Contains("of 1024 bits", FaultOf(key.ExportRSAPublicKeyPem()), StringComparison.Ordinal);
        Assert.Contains("does not exist", Fault("access: { tokens: { issuer: a, service: b, keys: nowhere.pem } }"), StringComparison.Ordinal);
    }

    private string FaultOf(string content) => Fault($"access: {{ tokens: {{ issuer: a, service: b, keys: {Write(content)} }} }}");

    private string Write(string content)
    {
        var path = _folder.Combine("keys");
        File.WriteAllText(path, content);
        return path;
    }
}
