using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Mirror.Access.Tokens;

/// <summary>
/// The tokens that this registry issues and takes back. They say who asks, and for what; what may be done is decided when they are used.
/// With a user's name goes a mark of the password, so that they end when the user goes or the password changes.
/// </summary>
/// <param name="service">What clients are told to ask for, and what tokens are for.</param>
/// <param name="keys">What they are signed with.</param>
/// <param name="logins">The users with passwords; null where there are none.</param>
/// <param name="time">The clock.</param>
public sealed class OwnTokens(string service, SigningKeys keys, Logins? logins, TimeProvider time)
{
    /// <summary>How long an access token is good.</summary>
    public static readonly TimeSpan AccessLife = TimeSpan.FromMinutes(5);

    /// <summary>How long a refresh token is good.</summary>
    public static readonly TimeSpan RefreshLife = TimeSpan.FromDays(90);

    // RFC 9068 has the first; the second is made after it.
    private const string AccessType = "at+jwt";
    private const string RefreshType = "rt+jwt";

    private const string Issuer = "mirror";
    private const string MarkClaim = "mark";

    /// <summary>In place of a mark, which is hexadecimal: who has shown a certificate has no password here.</summary>
    private const string ByCertificate = "certificate";

    private const string UserGone = "the user is gone, or has another password now";

    public string Service { get; } = service;

    /// <summary>An access token for who has shown a name and password, a certificate, or nothing.</summary>
    /// <param name="user">Null for nobody in particular.</param>
    /// <param name="byCertificate">Whether a certificate has named the user.</param>
    /// <param name="grant">What it is for.</param>
    /// <returns>Null where there is no such user any more.</returns>
    public async Task<string?> FindAccessAsync(string? user, bool byCertificate, Grant grant)
    {
        var mark = user is null ? null : byCertificate ? ByCertificate : logins?.FindMark(user);
        return user is not null && mark is null ? null : await SignAsync(AccessType, AccessLife, user, mark, grant);
    }

    /// <summary>A refresh token for a user with a password.</summary>
    /// <returns>Null where there is no such user any more.</returns>
    public async Task<string?> FindRefreshAsync(string user) =>
        logins?.FindMark(user) is { } mark ? await SignAsync(RefreshType, RefreshLife, user, mark, grant: null) : null;

    /// <summary>Whose refresh token it is.</summary>
    /// <returns>Null where it counts for nothing.</returns>
    public async Task<string?> FindUserAsync(string refreshToken)
    {
        var ring = await keys.GetAsync();
        return TokenCheck.Find(refreshToken) is { } token && ring.All.TryGetValue(token.Kid, out var key)
            && await FindFaultAsync(token, key, RefreshType) is null
            && ReadText(token, JwtRegisteredClaimNames.Sub) is { } user
            && FindUserFault(user, ReadText(token, MarkClaim)) is null
            ? user
            : null;
    }

    /// <summary>Checks an access token.</summary>
    /// <returns>Null where it was not signed with a key of ours.</returns>
    internal async Task<(CheckedToken? Token, string Fault)?> FindAsync(JsonWebToken token)
    {
        var ring = await keys.GetAsync();
        if (!ring.All.TryGetValue(token.Kid, out var key))
        {
            return null;
        }

        if (await FindFaultAsync(token, key, AccessType) is { } fault)
        {
            return (null, fault);
        }

        var (user, mark) = (ReadText(token, JwtRegisteredClaimNames.Sub), ReadText(token, MarkClaim));
        var grant = Grant.FindIn(token);
        return grant is null
            ? (null, TokenCheck.NotAToken)
            : (new CheckedToken(
                new TokenAnswer.Own(user, grant), TokenCheck.EndOf(token), () => user is null ? null : FindUserFault(user, mark)), "");
    }

    private async Task<string?> FindFaultAsync(JsonWebToken token, SigningKey key, string type) => token.Alg != SecurityAlgorithms.EcdsaSha256
        ? TokenCheck.WrongSignature
        : await TokenCheck.FindFaultAsync(token, [key.Key], Issuer, Service, [type], time);

    private string? FindUserFault(string user, string? mark) =>
        mark is not null && (mark == ByCertificate || mark == logins?.FindMark(user)) ? null : UserGone;

    private static string? ReadText(JsonWebToken token, string claim) => token.TryGetPayloadValue<string>(claim, out var text) ? text : null;

    private async Task<string> SignAsync(string type, TimeSpan life, string? user, string? mark, Grant? grant)
    {
        var ring = await keys.GetAsync();
        return TokenCheck.Create(Payload(time.GetUtcNow(), life, user, mark, grant), ring.Current.Key, SecurityAlgorithms.EcdsaSha256, type);
    }

    private string Payload(DateTimeOffset now, TimeSpan life, string? user, string? mark, Grant? grant)
    {
        var payload = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            json.WriteString(JwtRegisteredClaimNames.Iss, Issuer);
            if (user is not null)
            {
                json.WriteString(JwtRegisteredClaimNames.Sub, user);
                json.WriteString(MarkClaim, mark);
            }

            json.WriteString(JwtRegisteredClaimNames.Aud, Service);
            json.WriteNumber(JwtRegisteredClaimNames.Exp, (now + life).ToUnixTimeSeconds());
            json.WriteNumber(JwtRegisteredClaimNames.Nbf, now.ToUnixTimeSeconds());
            json.WriteNumber(JwtRegisteredClaimNames.Iat, now.ToUnixTimeSeconds());
            json.WriteString(JwtRegisteredClaimNames.Jti, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
            if (grant is not null)
            {
                json.WritePropertyName(Grant.AccessClaim);
                JsonSerializer.Serialize(json, grant.ToAccess(), TokenJson.Default.IReadOnlyListAccessEntry);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(payload.WrittenSpan);
    }
}
