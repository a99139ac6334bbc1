using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Access.Tokens;

/// <summary>
/// Says what a bearer token is worth. Every request for a blob has one: what was found right is remembered by its hash, and only what can
/// have changed is looked at again, whether the user is still there and whether the issuer's keys are the same.
/// </summary>
/// <param name="own">Those that we issue.</param>
/// <param name="foreign">Those of another issuer; null where only ours count.</param>
/// <param name="time">The clock.</param>
public sealed class TokenReader(OwnTokens own, ForeignTokens? foreign, TimeProvider time)
{
    /// <summary>Of more, those are forgotten that end first.</summary>
    private const int MaxKnown = 10_000;

    /// <summary>Longer ones are checked each time: everybody gets tokens with as many scopes as a request can have, and all that would be kept.</summary>
    private const int MaxKnownLength = 4 * 1024;

    private readonly ConcurrentDictionary<(UInt128, UInt128), CheckedToken> _known = new();

    /// <param name="token">What stands behind <c>Bearer</c>, whatever it is.</param>
    public ValueTask<TokenAnswer> ReadAsync(string token)
    {
        if (token.Length > TokenCheck.MaxLength)
        {
            return ValueTask.FromResult<TokenAnswer>(new TokenAnswer.Wrong(TokenCheck.NotAToken));
        }

        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        var key = (BinaryPrimitives.ReadUInt128LittleEndian(hash), BinaryPrimitives.ReadUInt128LittleEndian(hash.AsSpan(16)));
        if (_known.TryGetValue(key, out var known))
        {
            if (time.GetUtcNow() < known.Until && known.FindFault() is null)
            {
                return ValueTask.FromResult(known.Answer);
            }

            _known.TryRemove(key, out _);
        }

        return CheckAsync(token, key);
    }

    private async ValueTask<TokenAnswer> CheckAsync(string text, (UInt128, UInt128) key)
    {
        if (TokenCheck.Find(text) is not { } token)
        {
            return new TokenAnswer.Wrong(TokenCheck.NotAToken);
        }

        var (found, fault) = await own.FindAsync(token)
            ?? (foreign is null ? (null, TokenCheck.UnknownKey) : await foreign.FindAsync(token));
        if ((found is null ? fault : found.FindFault()) is { } why)
        {
            return new TokenAnswer.Wrong(why);
        }

        if (text.Length > MaxKnownLength)
        {
            return found!.Answer;
        }

        _known[key] = found!;
        if (_known.Count > MaxKnown)
        {
            foreach (var (old, _) in _known.OrderBy(entry => entry.Value.Until).Take(MaxKnown / 2).ToList())
            {
                _known.TryRemove(old, out _);
            }
        }

        return found!.Answer;
    }
}
