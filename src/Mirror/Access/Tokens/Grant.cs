using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.IdentityModel.JsonWebTokens;
using Mirror.Configuration;

namespace Mirror.Access.Tokens;

/// <summary>What a token is for: as much as it can be used for, whoever it speaks for may do more.</summary>
/// <param name="Scopes">Each thing.</param>
public sealed record Grant(IReadOnlyList<Scope> Scopes)
{
    internal const string AccessClaim = "access";

    /// <summary>For nothing but to show who asks.</summary>
    public static Grant Nothing { get; } = new([]);

    /// <summary>Whether it is for the list of all repositories.</summary>
    public bool Catalog => Scopes.Any(scope => scope is Scope.Catalog);

    /// <summary>What it is for with a repository, by the name that the client used.</summary>
    public Rights RightsOf(string name) => Scopes.OfType<Scope.Repository>()
        .Where(scope => scope.Name == name)
        .Aggregate(Rights.None, (all, scope) => all | scope.Rights);

    public bool Equals(Grant? other) => other is not null && Scopes.SequenceEqual(other.Scopes);

    public override int GetHashCode() => Scopes.Count;

    /// <summary>The scopes, as they are written in a request.</summary>
    public override string ToString() => string.Join(' ', Scopes);

    /// <summary>The value of a token's <c>access</c>.</summary>
    internal IReadOnlyList<AccessEntry> ToAccess() => [.. Scopes.Select(scope => scope.ToEntry())];

    /// <summary>Reads a token's <c>access</c>.</summary>
    /// <returns>Null where it is no list of scopes, or one that is too long.</returns>
    internal static Grant? FindIn(JsonWebToken token)
    {
        try
        {
            using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(token.EncodedPayload));
            return !payload.RootElement.TryGetProperty(AccessClaim, out var access) || access.ValueKind == JsonValueKind.Null ? Nothing
                : access.ValueKind == JsonValueKind.Array && access.GetArrayLength() <= Scope.MaxCount
                    && access.Deserialize(TokenJson.Default.IReadOnlyListAccessEntry) is { } entries
                    ? new Grant([.. entries.Select(entry => Scope.Find(entry?.Type, entry?.Class, entry?.Name, entry?.Actions ?? [])).OfType<Scope>()])
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>One entry of a token's <c>access</c>; of another issuer's, any part may be missing.</summary>
internal sealed record AccessEntry(string? Type, string? Class, string? Name, IReadOnlyList<string?>? Actions);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IReadOnlyList<AccessEntry>))]
internal sealed partial class TokenJson : JsonSerializerContext;
