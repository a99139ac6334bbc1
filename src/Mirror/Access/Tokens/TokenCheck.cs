using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Mirror.Access.Tokens;

/// <summary>What every token has to stand, whoever has issued it.</summary>
internal static class TokenCheck
{
    public const int MaxLength = 64 * 1024;

    /// <summary>What clocks may differ by.</summary>
    public static readonly TimeSpan Leeway = TimeSpan.FromSeconds(60);

    public const string NotAToken = "the token can not be read";
    public const string WrongSignature = "the token's signature is wrong";
    public const string UnknownKey = "the token is signed with a key that is not known here";

    /// <summary>Reads a token without believing it.</summary>
    /// <returns>Null where it is none: no JSON in three parts, encrypted, or with headers that have to be understood and are not.</returns>
    public static JsonWebToken? Find(string text)
    {
        if (text.Length > MaxLength || text.Count('.') != 2)
        {
            return null;
        }

        try
        {
            var token = new JsonWebToken(text);
            // RFC 7515, 4.1.11: what an extension says that is not known must not be passed over.
            // The times are read only when they are asked for, and then throw. What the headers say to be null is null.
            return token.Kid is null || token.Alg is null || token.TryGetHeaderValue("crit", out object _) || (token.ValidTo != default && token.ValidFrom > token.ValidTo) ? null : token;
        }
        catch (Exception)
        {
            // Of whatever kind: it is what a stranger has sent.
            return null;
        }
    }

    public static string Create(string payload, SecurityKey key, string algorithm, string type) =>
        Library.Handler.CreateToken(
            payload, new SigningCredentials(key, algorithm), new Dictionary<string, object> { [JwtHeaderParameterNames.Typ] = type });

    /// <summary>Whether a token is right in every way.</summary>
    /// <param name="token">As <see cref="Find"/> has read it.</param>
    /// <param name="keys">Those that may have signed it, all fit for its algorithm.</param>
    /// <param name="issuer">Who has to have issued it.</param>
    /// <param name="audience">For whom it has to be.</param>
    /// <param name="types">Its type has to be one of these; null for any.</param>
    /// <param name="time">The clock.</param>
    /// <returns>Why it is not; null where it is.</returns>
    public static async Task<string?> FindFaultAsync(
        JsonWebToken token, IReadOnlyList<SecurityKey> keys, string issuer, string audience, IEnumerable<string>? types, TimeProvider time)
    {
        var result = await Library.Handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            // What the token says of its own algorithm counts only because every key has been chosen to fit it.
            ValidAlgorithms = [token.Alg],
            IssuerSigningKeys = keys,
            ValidIssuer = issuer,
            ValidAudience = audience,
            ValidTypes = types,
            // The clock is ours: see below.
            ValidateLifetime = false,
        });
        return result.IsValid ? FindLifetimeFault(token, time.GetUtcNow()) : result.Exception switch
        {
            SecurityTokenInvalidIssuerException => "the token is of another issuer",
            SecurityTokenInvalidAudienceException => "the token is for another service",
            SecurityTokenInvalidTypeException => "the token is of another kind",
            _ => WrongSignature,
        };
    }

    /// <summary>When a token counts no more. One without an end has ended.</summary>
    public static DateTimeOffset EndOf(JsonWebToken token) => At(token.ValidTo) is var end && end < DateTimeOffset.MaxValue - Leeway ? end + Leeway : end;

    private static string? FindLifetimeFault(JsonWebToken token, DateTimeOffset now) =>
        token.ValidTo == default ? "the token has no end"
        : now >= EndOf(token) ? "the token has expired"
        : now + Leeway < At(token.ValidFrom) ? "the token is not valid yet"
        : null;

    private static DateTimeOffset At(DateTime time) => new(DateTime.SpecifyKind(time, DateTimeKind.Utc));

    /// <summary>By itself, so that whoever only reads a constant here does not load the library.</summary>
    private static class Library
    {
        public static readonly JsonWebTokenHandler Handler = new()
        {
            MaximumTokenSizeInBytes = MaxLength, MapInboundClaims = false, SetDefaultTimesOnTokenCreation = false,
        };
    }
}
