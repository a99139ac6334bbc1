using System.Text.Json.Serialization;

namespace Mirror.Access.Tokens;

/// <summary>
/// What a client gets: in Docker's form <c>token</c> and <c>access_token</c>, which are the same, in OAuth2's <c>access_token</c> and
/// <c>scope</c>.
/// </summary>
internal sealed record TokenReply(string? Token, string AccessToken, int ExpiresIn, string IssuedAt, string? Scope, string? RefreshToken);

internal sealed record TokenRefusal(string Error, string ErrorDescription, IReadOnlyList<RegistryRefusal> Errors);

internal sealed record RegistryRefusal(string Code, string Message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenReply))]
[JsonSerializable(typeof(TokenRefusal))]
internal sealed partial class TokenReplyJson : JsonSerializerContext;
