using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Mirror.Access.Tokens;
using Mirror.Configuration;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary>Tokens of another authorization server, whose keys are in a file.</summary>
public sealed class ForeignTokenTests : IDisposable
{
    private const string Issuer = "auth.test";
    private const string Service = "registry.test";

    private static readonly Grant Granted = new([new Scope.Repository("team-a/app", null, Rights.Pull)]);

    private readonly TokenScene _scene = new();
    private readonly RSA _rsa = RSA.Create(2048);
    private readonly ECDsa _ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly string _path;
    private readonly TokenReader _reader;

    public ForeignTokenTests()
    {
        _path = _scene.Folder.Combine("token-keys.pem");
        WriteKeys(_rsa.ExportSubjectPublicKeyInfoPem(), _ec.ExportSubjectPublicKeyInfoPem());
        _reader = new TokenReader(
            _scene.Own,
            new ForeignTokens(
                new TokenIssuerOptions(Issuer, Service, _path, Realm: null),
                new ForeignKeys(_path, _scene.Time, _scene.Log.CreateLogger<ForeignKeys>()),
                _scene.Time),
            _scene.Time);
    }

    public void Dispose()
    {
        _rsa.Dispose();
        _ec.Dispose();
        _scene.Dispose();
    }

    [Theory]
    [InlineData("RS256")]
    [InlineData("RS384")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    [InlineData("PS384")]
    [InlineData("PS512")]
    [InlineData("ES256")]
    public async Task A_token_of_the_issuer_says_what_it_allows(string algorithm)
    {
        Assert.Equal(new TokenAnswer.Foreign("bob", Granted), await ReadAsync(Token(algorithm)));
        Assert.Equal(new TokenAnswer.Foreign("bob", Granted), await ReadAsync(Token(algorithm)));
    }

    [Theory]
    [InlineData("ES384", "1.3.132.0.34")]
    [InlineData("ES512", "1.3.132.0.35")]
    public async Task Larger_curves_are_known_too(string algorithm, string curve)
    {
        using var key = ECDsa.Create(ECCurve.CreateFromValue(curve));
        WriteKeys(key.ExportSubjectPublicKeyInfoPem());

        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Jws.Sign(Header(algorithm), Payload(), Jws.With(key, algorithm))));
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(Jws.Sign(Header("ES256"), Payload(), Jws.With(key, "ES256"))));
    }

    [Fact]
    public async Task Our_own_tokens_go_on_to_count()
    {
        Assert.IsType<TokenAnswer.Own>(await ReadAsync(await _scene.GetAccessAsync()));
    }

    [Fact]
    public async Task The_service_may_be_one_of_several_and_subject_and_access_may_be_missing()
    {
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token(payload: Payload(("aud", new JsonArray("other", Service))))));
        Assert.Equal(new TokenAnswer.Foreign(null, Grant.Nothing), await ReadAsync(Token(payload: Payload(("sub", ""), ("access", null)))));
    }

    [Theory]
    [InlineData("iss", "\"other\"", "the token is of another issuer")]
    [InlineData("iss", "null", "the token is of another issuer")]
    [InlineData("aud", "\"other\"", "the token is for another service")]
    [InlineData("aud", "[]", "the token is for another service")]
    [InlineData("aud", "null", "the token is for another service")]
    [InlineData("exp", "null", "the token can not be read")]
    [InlineData("exp", "1", "the token can not be read")]
    [InlineData("access", "\"all\"", "the token can not be read")]
    [InlineData("access", "{}", "the token can not be read")]
    [InlineData("access", "[1]", "the token can not be read")]
    [InlineData("access", "[{\"type\":\"repository\",\"name\":\"a\",\"actions\":\"pull\"}]", "the token can not be read")]
    public async Task What_a_token_says_has_to_be_right(string claim, string value, string fault) =>
        Assert.Equal(new TokenAnswer.Wrong(fault), await ReadAsync(Token(payload: Payload((claim, JsonNode.Parse(value))))));

    [Fact]
    public async Task An_expired_token_and_one_that_is_not_valid_yet_count_for_nothing()
    {
        var now = _scene.Time.GetUtcNow().ToUnixTimeSeconds();

        Assert.Equal(new TokenAnswer.Wrong("the token has expired"), await ReadAsync(Token(payload: Payload(("nbf", now - 600), ("exp", now - 60)))));
        Assert.Equal(new TokenAnswer.Wrong("the token is not valid yet"), await ReadAsync(Token(payload: Payload(("nbf", now + 61)))));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token(payload: Payload(("nbf", now + 60)))));
    }

    [Theory]
    [InlineData(100, true)]
    [InlineData(101, false)]
    public async Task A_token_allows_a_hundred_things_at_most(int count, bool isRight)
    {
        var access = new JsonArray([.. Enumerable.Range(0, count).Select(i => new JsonObject
        {
            ["type"] = "repository", ["name"] = $"r{i}", ["actions"] = new JsonArray("pull"),
        })]);

        Assert.Equal(isRight, await ReadAsync(Token(payload: Payload(("access", access)))) is TokenAnswer.Foreign);
    }

    [Fact]
    public async Task A_key_is_found_by_every_name_that_is_usual_for_it_and_by_no_other()
    {
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token(kid: ThumbprintOf(_rsa))));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token(kid: LibtrustOf(_rsa.ExportSubjectPublicKeyInfo()))));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token("ES256", kid: LibtrustOf(_ec.ExportSubjectPublicKeyInfo()))));
        // What Distribution 3 calls every key of this curve, from the curve's base point.
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token("ES256", kid: Jws.Base64(SHA256.HashData(Encoding.ASCII.GetBytes(
            """{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}"""))))));
        Assert.Equal(new TokenAnswer.Wrong("the token is signed with a key that is not known here"), await ReadAsync(Token(kid: "other")));
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(Token("ES256", kid: ThumbprintOf(_rsa))));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("HS256")]
    [InlineData("HS256 PEM")]
    [InlineData("ES256 with the RSA key's name")]
    [InlineData("unknown algorithm")]
    [InlineData("embedded jwk")]
    [InlineData("embedded x5c")]
    [InlineData("jku and x5u")]
    [InlineData("other key")]
    public async Task Only_the_keys_in_the_file_count_each_for_its_own_algorithms(string how)
    {
        using var otherRsa = RSA.Create(2048);
        var request = new CertificateRequest("CN=evil", otherRsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var evil = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        var parameters = otherRsa.ExportParameters(includePrivateParameters: false);
        var jwk = new JsonObject { ["kty"] = "RSA", ["n"] = Jws.Base64(parameters.Modulus!), ["e"] = Jws.Base64(parameters.Exponent!) };
        var with = Jws.With(otherRsa, "RS256");

        var token = how switch
        {
            "none" => Jws.Sign(Header("none"), Payload(), _ => []),
            "HS256" => Jws.Sign(Header("HS256"), Payload(), data => HMACSHA256.HashData(_rsa.ExportSubjectPublicKeyInfo(), data)),
            "HS256 PEM" => Jws.Sign(Header("HS256"), Payload(), data => HMACSHA256.HashData(Encoding.ASCII.GetBytes(File.ReadAllText(_path)), data)),
            "ES256 with the RSA key's name" => Jws.Sign(Header("ES256", ("kid", ThumbprintOf(_rsa))), Payload(), Jws.With(_ec, "ES256")),
            "unknown algorithm" => Jws.Sign(Header("RS1"), Payload(), data => _rsa.SignData(data, HashAlgorithmName.SHA1, RSASignaturePadding.Pkcs1)),
            "embedded jwk" => Jws.Sign(Header("RS256", ("jwk", jwk)), Payload(), with),
            "embedded x5c" => Jws.Sign(Header("RS256", ("x5c", new JsonArray(Convert.ToBase64String(evil.RawData)))), Payload(), with),
            "jku and x5u" => Jws.Sign(Header("RS256", ("jku", "http://127.0.0.1:1/"), ("x5u", "http://127.0.0.1:1/")), Payload(), with),
            "other key" => Jws.Sign(Header("RS256", ("kid", ThumbprintOf(_rsa))), Payload(), with),
            _ => throw new ArgumentOutOfRangeException(nameof(how)),
        };

        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(token));
    }

    [Fact]
    public async Task A_certificate_that_one_in_the_file_vouches_for_may_come_with_the_token()
    {
        using var authority = new TestAuthority();
        using var stranger = new TestAuthority();
        WriteKeys(authority.Certificates[0].ExportCertificatePem());
        using var issued = authority.Issue("signer");
        using var foreign = stranger.Issue("signer");

        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(TokenOf(issued)));
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(TokenOf(foreign)));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(
            Jws.Sign(Header("ES256", ("x5c", new JsonArray(Convert.ToBase64String(issued.RawData)))), Payload(), Jws.With(key, "ES256"))));

        string TokenOf(X509Certificate2 certificate)
        {
            using var own = certificate.GetECDsaPrivateKey()!;
            return Jws.Sign(Header("ES256", ("x5c", new JsonArray(Convert.ToBase64String(certificate.RawData)))), Payload(), Jws.With(own, "ES256"));
        }
    }

    [Fact]
    public async Task Keys_are_read_again_when_the_file_changes_and_tokens_of_a_key_that_is_gone_end_at_once()
    {
        using var next = RSA.Create(2048);
        var (old, @new) = (Token(), Jws.Sign(Header("RS256"), Payload(), Jws.With(next, "RS256")));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(old));
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(@new));

        WriteKeys(_rsa.ExportSubjectPublicKeyInfoPem(), next.ExportSubjectPublicKeyInfoPem(), "# both");
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(old));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(@new));

        WriteKeys(next.ExportSubjectPublicKeyInfoPem());
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(old));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(@new));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")]
    [InlineData(null)]
    public async Task While_the_file_can_not_be_read_the_keys_hold_that_it_had(string? content)
    {
        var (before, after) = (Token(), Token(payload: Payload(("sub", "carol"))));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(before));

        if (content is null)
        {
            File.Delete(_path);
        }
        else
        {
            File.WriteAllText(_path, content);
        }

        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(before));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(after));
        Assert.Single(_scene.Log.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains(_path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keys_may_be_a_JSON_web_key_set()
    {
        var parameters = _rsa.ExportParameters(includePrivateParameters: false);
        var point = _ec.ExportParameters(includePrivateParameters: false).Q;
        var set = new JsonObject
        {
            ["keys"] = new JsonArray(
                new JsonObject { ["kty"] = "OKP", ["crv"] = "Ed25519", ["x"] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
                new JsonObject { ["kty"] = "RSA", ["use"] = "sig", ["kid"] = "first", ["alg"] = "RS256", ["n"] = Jws.Base64(parameters.Modulus!), ["e"] = "AQAB" },
                new JsonObject { ["kty"] = "EC", ["kid"] = "second", ["crv"] = "P-256", ["x"] = Jws.Base64(point.X!), ["y"] = Jws.Base64(point.Y!) }),
        };
        WriteKeys(set.ToJsonString());

        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token(kid: "first")));
        Assert.IsType<TokenAnswer.Foreign>(await ReadAsync(Token("ES256", kid: "second")));
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(Token("RS512", kid: "first")));
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(Token(kid: "second")));
    }

    private async Task<TokenAnswer> ReadAsync(string token) => await _reader.ReadAsync(token);

    private void WriteKeys(params string[] parts) => File.WriteAllText(_path, string.Join('\n', parts));

    private string Token(string algorithm = "RS256", string? kid = null, JsonObject? payload = null) => Jws.Sign(
        kid is null ? Header(algorithm) : Header(algorithm, ("kid", kid)),
        payload ?? Payload(),
        algorithm[0] == 'E' ? Jws.With(_ec, algorithm) : Jws.With(_rsa, algorithm));

    private static JsonObject Header(string algorithm, params (string Name, JsonNode? Value)[] more) => With(new JsonObject { ["typ"] = "JWT", ["alg"] = algorithm }, more);

    private JsonObject Payload(params (string Name, JsonNode? Value)[] other)
    {
        var now = _scene.Time.GetUtcNow().ToUnixTimeSeconds();
        return With(
            new JsonObject
            {
                ["iss"] = Issuer,
                ["aud"] = Service,
                ["sub"] = "bob",
                ["nbf"] = now,
                ["iat"] = now,
                ["exp"] = now + 300,
                ["access"] = new JsonArray(
                    new JsonObject { ["type"] = "repository", ["class"] = "", ["name"] = "team-a/app", ["actions"] = new JsonArray("pull", "fly") },
                    new JsonObject { ["type"] = "unknown", ["name"] = "thing", ["actions"] = new JsonArray("do") }),
            },
            other);
    }

    private static JsonObject With(JsonObject json, (string Name, JsonNode? Value)[] more)
    {
        foreach (var (name, value) in more)
        {
            json[name] = value;
        }

        return json;
    }

    private static string ThumbprintOf(RSA key)
    {
        var parameters = key.ExportParameters(includePrivateParameters: false);
        return Jws.Base64(SHA256.HashData(Encoding.ASCII.GetBytes(
            $$"""{"e":"{{Jws.Base64(parameters.Exponent!)}}","kty":"RSA","n":"{{Jws.Base64(parameters.Modulus!)}}"}""")));
    }

    private static string LibtrustOf(byte[] key)
    {
        const string Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        var name = new StringBuilder();
        var (bits, count) = (0, 0);
        foreach (var part in SHA256.HashData(key).AsSpan(0, 30))
        {
            (bits, count) = ((bits << 8) | part, count + 8);
            for (; count >= 5; count -= 5)
            {
                name.Append(Digits[(bits >> (count - 5)) & 31]);
            }

            bits &= 31;
        }

        return string.Join(':', name.ToString().Chunk(4).Select(four => new string(four)));
    }
}
