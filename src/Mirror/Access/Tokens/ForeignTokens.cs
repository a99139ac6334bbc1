using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Mirror.Configuration;

namespace Mirror.Access.Tokens;

/// <summary>
/// Tokens of another authorization server. They are verified with the keys in its file and with nothing that they bring along, but for a
/// certificate that one in the file vouches for.
/// </summary>
/// <param name="options">The configuration's.</param>
/// <param name="keys">The keys in its file.</param>
/// <param name="time">The clock.</param>
public sealed class ForeignTokens(TokenIssuerOptions options, ForeignKeys keys, TimeProvider time)
{
    private const int MaxChain = 10;

    /// <summary>Checks a token.</summary>
    /// <returns>It, or why it counts for nothing.</returns>
    internal async Task<(CheckedToken? Token, string Fault)> FindAsync(JsonWebToken token)
    {
        var trusted = keys.Current();
        var candidates = FindKeys(token, trusted);
        if (candidates.Count == 0)
        {
            return (null, TokenCheck.UnknownKey);
        }

        if (await TokenCheck.FindFaultAsync(token, candidates, options.Issuer, options.Service, types: null, time) is { } fault)
        {
            return (null, fault);
        }

        var subject = token.TryGetPayloadValue<string>(JwtRegisteredClaimNames.Sub, out var said) && said.Length > 0 ? said : null;
        return Grant.FindIn(token) is { } grant
            ? (new CheckedToken(
                new TokenAnswer.Foreign(subject, grant),
                TokenCheck.EndOf(token),
                () => ReferenceEquals(keys.Current(), trusted) ? null : TokenCheck.UnknownKey), "")
            : (null, TokenCheck.NotAToken);
    }

    /// <summary>
    /// Those that may have signed it: of the name that it says, if it says one, and fit for its algorithm, so that none is taken for a key
    /// of another kind.
    /// </summary>
    private List<SecurityKey> FindKeys(JsonWebToken token, TrustedKeys trusted)
    {
        var found = trusted.Keys
            .Where(key => key.Said.Algorithms.Contains(token.Alg) && (token.Kid.Length == 0 || key.Said.Ids.Contains(token.Kid)))
            .Select(key => key.Key)
            .ToList();
        var isNamed = token.Kid.Length > 0 && found.Count > 0;
        return isNamed || FindCertificateKey(token, trusted.Said.Certificates) is not { } key ? found : [key];
    }

    /// <summary>
    /// The key of the certificate that a token brings along (<c>x5c</c>), if the chain of those with it leads to one that is trusted.
    /// </summary>
    private SecurityKey? FindCertificateKey(JsonWebToken token, X509Certificate2Collection trusted)
    {
        if (trusted.Count == 0
            || !token.TryGetHeaderValue<JsonElement>("x5c", out var list)
            || list.ValueKind != JsonValueKind.Array
            || list.GetArrayLength() is 0 or > MaxChain)
        {
            return null;
        }

        try
        {
            var certificates = list.EnumerateArray().Select(item => X509CertificateLoader.LoadCertificate(item.GetBytesFromBase64())).ToArray();
            var leaf = certificates[0];
            if (leaf.Extensions.OfType<X509KeyUsageExtension>().Any(usage => !usage.KeyUsages.HasFlag(X509KeyUsageFlags.DigitalSignature))
                || !IsTrusted(leaf, certificates[1..], trusted)
                || TokenKey.Of(leaf.PublicKey) is not { Fault: null, Value: var key }
                || !key.Algorithms.Contains(token.Alg))
            {
                return null;
            }

            var found = TrustedKeys.ToVerify(key);
            // Or every token's own would be kept.
            found.CryptoProviderFactory = new CryptoProviderFactory { CacheSignatureProviders = false };
            return found;
        }
        catch (Exception e) when (e is CryptographicException or FormatException or InvalidOperationException)
        {
            return null;
        }
    }

    private bool IsTrusted(X509Certificate2 leaf, X509Certificate2[] others, X509Certificate2Collection trusted)
    {
        if (trusted.Contains(leaf))
        {
            return true;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        chain.ChainPolicy.ExtraStore.AddRange(others);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = time.GetUtcNow().UtcDateTime;
        return chain.Build(leaf);
    }
}
