using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Mirror.Access.Tokens;

namespace Mirror.Tests.Access;

/// <summary>The tokens that this registry issues: whom they are good for, how long, and what nobody can make of them.</summary>
public sealed class OwnTokenTests : IDisposable
{
    private readonly TokenScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task A_token_says_who_asks_and_for_what()
    {
        Assert.Equal(new TokenAnswer.Own("alice", TokenScene.AskedFor), await ReadAsync(await _scene.GetAccessAsync()));
        Assert.Equal(new TokenAnswer.Own(null, TokenScene.AskedFor), await ReadAsync(await _scene.GetAccessAsync(user: null)));
        Assert.Equal(new TokenAnswer.Own("alice", Grant.Nothing), await ReadAsync(await _scene.GetAccessAsync(grant: Grant.Nothing)));
    }

    [Fact]
    public async Task A_token_is_what_the_registries_specification_says()
    {
        var token = await _scene.GetAccessAsync();

        var now = _scene.Time.GetUtcNow().ToUnixTimeSeconds();
        var (header, payload) = (Jws.Part(token, 0), Jws.Part(token, 1));
        Assert.Equal("ES256", (string?)header["alg"]);
        Assert.Equal(Path.GetFileNameWithoutExtension(Assert.Single(_scene.KeyFiles)), (string?)header["kid"]);
        Assert.Equal("alice", (string?)payload["sub"]);
        Assert.Equal(TokenScene.Service, (string?)payload["aud"]);
        Assert.Equal((now, now, now + 300), ((long)payload["nbf"]!, (long)payload["iat"]!, (long)payload["exp"]!));
        Assert.NotEqual((string?)payload["jti"], (string?)Jws.Part(await _scene.GetAccessAsync(), 1)["jti"]);
        Assert.Equal("""[{"type":"repository","name":"team-a/app","actions":["pull","push"]}]""", payload["access"]!.ToJsonString());
    }

    [Fact]
    public async Task A_token_ends_after_five_minutes_whether_it_was_used_or_not()
    {
        var (used, unused) = (await _scene.GetAccessAsync(), await _scene.GetAccessAsync());
        _scene.Time.Advance(OwnTokens.AccessLife);
        Assert.IsType<TokenAnswer.Own>(await ReadAsync(used));

        _scene.Time.Advance(TimeSpan.FromSeconds(60));

        Assert.Equal(new TokenAnswer.Wrong("the token has expired"), await ReadAsync(used));
        Assert.Equal(new TokenAnswer.Wrong("the token has expired"), await ReadAsync(unused));
    }

    [Fact]
    public async Task Tokens_end_at_once_when_the_password_changes_or_the_user_goes()
    {
        var (access, refresh) = (await _scene.GetAccessAsync(), await _scene.GetRefreshAsync());
        Assert.IsType<TokenAnswer.Own>(await ReadAsync(access));
        Assert.Equal("alice", await _scene.Own.FindUserAsync(refresh));

        _scene.WriteUser("alice", "another secret");
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(access));
        Assert.Null(await _scene.Own.FindUserAsync(refresh));
        var (newAccess, newRefresh) = (await _scene.GetAccessAsync(), await _scene.GetRefreshAsync());

        _scene.WriteUser("bobby", "bob's secret");
        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(newAccess));
        Assert.Null(await _scene.Own.FindUserAsync(newRefresh));
        Assert.Null(await _scene.Own.FindAccessAsync("alice", byCertificate: false, TokenScene.AskedFor));
        Assert.Null(await _scene.Own.FindRefreshAsync("alice"));
    }

    [Fact]
    public async Task Whom_a_certificate_names_needs_no_password_to_have_a_token()
    {
        var token = await _scene.GetAccessAsync("carol", byCertificate: true);

        Assert.Equal(new TokenAnswer.Own("carol", TokenScene.AskedFor), await ReadAsync(token));
        Assert.Null(await _scene.Own.FindRefreshAsync("carol"));
    }

    [Fact]
    public async Task A_refresh_token_lives_ninety_days_and_is_no_access_token_nor_the_other_way_round()
    {
        var (access, refresh) = (await _scene.GetAccessAsync(), await _scene.GetRefreshAsync());

        Assert.Equal(new TokenAnswer.Wrong("the token is of another kind"), await ReadAsync(refresh));
        Assert.Null(await _scene.Own.FindUserAsync(access));

        _scene.Time.Advance(OwnTokens.RefreshLife);
        Assert.Equal("alice", await _scene.Own.FindUserAsync(refresh));
        _scene.Time.Advance(TimeSpan.FromSeconds(60));
        Assert.Null(await _scene.Own.FindUserAsync(refresh));
    }

    [Fact]
    public async Task A_token_for_another_service_counts_for_nothing()
    {
        var other = new OwnTokens("other.test", _scene.Keys, _scene.Logins, _scene.Time);

        var token = await other.FindAccessAsync(null, byCertificate: false, TokenScene.AskedFor);

        Assert.Equal(new TokenAnswer.Wrong("the token is for another service"), await ReadAsync(token!));
    }

    [Theory]
    [InlineData("changed payload")]
    [InlineData("changed signature")]
    [InlineData("cut signature")]
    [InlineData("no signature")]
    [InlineData("alg none")]
    [InlineData("alg none with signature")]
    [InlineData("HS256 with the public key")]
    [InlineData("HS256 with the public key as PEM")]
    [InlineData("another key with our kid")]
    [InlineData("another key embedded")]
    [InlineData("another key with its own kid")]
    [InlineData("without kid")]
    [InlineData("kid null")]
    [InlineData("alg null")]
    [InlineData("two signatures")]
    [InlineData("two payloads")]
    [InlineData("critical header")]
    [InlineData("huge")]
    [InlineData("not JSON")]
    [InlineData("an array")]
    [InlineData("truncated base64")]
    [InlineData("empty")]
    [InlineData("dots")]
    [InlineData("encrypted")]
    [InlineData("times that are none")]
    public async Task A_token_that_is_not_exactly_ours_counts_for_nothing(string how)
    {
        var right = await _scene.GetAccessAsync();
        var parts = right.Split('.');
        var header = Jws.Part(right, 0);
        var payload = Jws.Part(right, 1);
        using var ours = ECDsa.Create();
        ours.ImportFromPem(File.ReadAllText(Assert.Single(_scene.KeyFiles)));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        var token = how switch
        {
            "changed payload" => $"{parts[0]}.{Jws.Base64(Encoding.UTF8.GetBytes(With(payload, "sub", "root").ToJsonString()))}.{parts[2]}",
            "changed signature" => $"{parts[0]}.{parts[1]}.{Jws.Base64(new byte[64])}",
            "cut signature" => right[..^8],
            "no signature" => $"{parts[0]}.{parts[1]}.",
            "alg none" => Jws.Sign(With(header, "alg", "none"), payload, _ => []),
            "alg none with signature" => Jws.Sign(With(header, "alg", "none"), payload, Jws.With(ours, "ES256")),
            "HS256 with the public key" => Jws.Sign(
                With(header, "alg", "HS256"), payload, data => HMACSHA256.HashData(ours.ExportSubjectPublicKeyInfo(), data)),
            "HS256 with the public key as PEM" => Jws.Sign(
                With(header, "alg", "HS256"), payload, data => HMACSHA256.HashData(Encoding.ASCII.GetBytes(ours.ExportSubjectPublicKeyInfoPem()), data)),
            "another key with our kid" => Jws.Sign(header, payload, Jws.With(other, "ES256")),
            "another key embedded" => Jws.Sign(With(header, "jwk", JwkOf(other)), payload, Jws.With(other, "ES256")),
            "another key with its own kid" => Jws.Sign(With(With(header, "jwk", JwkOf(other)), "kid", "theirs"), payload, Jws.With(other, "ES256")),
            "without kid" => Jws.Sign(With(header, "kid", null), payload, Jws.With(ours, "ES256")),
            "kid null" => Jws.Sign(WithNull(header, "kid"), payload.ToJsonString(), Jws.With(ours, "ES256")),
            "alg null" => Jws.Sign(WithNull(header, "alg"), payload.ToJsonString(), Jws.With(ours, "ES256")),
            "two signatures" => $$"""{"payload":"{{parts[1]}}","signatures":[{"protected":"{{parts[0]}}","signature":"{{parts[2]}}"},{"protected":"{{parts[0]}}","signature":"AA"}]}""",
            "two payloads" => $"{right}.{parts[1]}",
            "critical header" => Jws.Sign(With(header, "crit", new JsonArray("b64")), payload, Jws.With(ours, "ES256")),
            "huge" => Jws.Sign(header, With(payload, "padding", new string('x', 70_000)), Jws.With(ours, "ES256")),
            "not JSON" => Jws.Sign(header.ToJsonString(), "{\"sub\":", Jws.With(ours, "ES256")),
            "an array" => Jws.Sign("[1]", "[1]", Jws.With(ours, "ES256")),
            "truncated base64" => $"{parts[0][..^1]}.{parts[1]}.{parts[2]}",
            "empty" => "",
            "dots" => "..",
            "encrypted" => $"{parts[0]}.{parts[1]}.{parts[2]}.AA.AA",
            "times that are none" => Jws.Sign(header, With(payload, "exp", "tomorrow"), Jws.With(ours, "ES256")),
            _ => throw new ArgumentOutOfRangeException(nameof(how)),
        };

        Assert.IsType<TokenAnswer.Wrong>(await ReadAsync(token));
        Assert.Null(await _scene.Own.FindUserAsync(token));
        Assert.IsType<TokenAnswer.Own>(await ReadAsync(right));
    }

    private static string WithNull(JsonObject header, string name)
    {
        var with = header.DeepClone().AsObject();
        with[name] = null;
        return with.ToJsonString();
    }

    [Theory]
    [InlineData(60, 300L, null)]
    [InlineData(61, 300L, "the token is not valid yet")]
    [InlineData(-300, -60L, "the token has expired")]
    [InlineData(-300, -59L, null)]
    [InlineData(0, null, "the token has no end")]
    [InlineData(0, 9_000_000_000_000_000L, null)]
    public async Task Clocks_may_differ_by_a_minute(int from, long? until, string? fault)
    {
        var right = await _scene.GetAccessAsync(user: null);
        using var ours = ECDsa.Create();
        ours.ImportFromPem(File.ReadAllText(Assert.Single(_scene.KeyFiles)));
        var now = _scene.Time.GetUtcNow().ToUnixTimeSeconds();
        var payload = With(With(Jws.Part(right, 1), "nbf", now + from), "exp", until is null ? null : now + until);

        var answer = await ReadAsync(Jws.Sign(Jws.Part(right, 0), payload, Jws.With(ours, "ES256")));

        Assert.Equal(fault, (answer as TokenAnswer.Wrong)?.Why);
    }

    [Fact]
    public async Task Nothing_of_a_token_is_logged()
    {
        var tokens = new[] { await _scene.GetAccessAsync(), await _scene.GetRefreshAsync() };
        foreach (var token in tokens)
        {
            await ReadAsync(token);
            await ReadAsync(token + "x");
        }

        Assert.All(tokens, token => Assert.DoesNotContain(_scene.Log.Lines, line => line.Contains(token.Split('.')[2], StringComparison.Ordinal)));
    }

    private async Task<TokenAnswer> ReadAsync(string token) => await _scene.Reader.ReadAsync(token);

    private static JsonObject With(JsonObject json, string name, JsonNode? value)
    {
        var copy = (JsonObject)json.DeepClone();
        if (value is null)
        {
            copy.Remove(name);
        }
        else
        {
            copy[name] = value;
        }

        return copy;
    }

    private static JsonObject JwkOf(ECDsa key)
    {
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["x"] = Jws.Base64(point.X!), ["y"] = Jws.Base64(point.Y!) };
    }
}
