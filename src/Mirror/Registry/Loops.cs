using System.Buffers;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Mirror.Oci.Remote;

namespace Mirror.Registry;

/// <summary>
/// Keeps mirrors from asking themselves, by whatever detour: each signs its requests in <c>Via</c> and passes on other mirrors' signatures, no
/// other proxies', which are a network's own business.
/// </summary>
internal sealed class Loops
{
    private const string Kind = "1.1 mirror-";

    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdef");

    /// <summary>No sensible chain of mirrors is so long.</summary>
    private const int MaxLength = 16;

    /// <summary>This mirror's signature; another after each start.</summary>
    public string Signature { get; } = Kind + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    /// <summary>Whether a request has been here before. If not, what is asked of upstreams because of it will say by whom it came.</summary>
    public bool IsLoop(HttpRequest request)
    {
        var mirrors = request.Headers.Via.SelectMany(line => (line ?? "").Split(',', StringSplitOptions.TrimEntries)).Where(IsMirror).ToList();
        ViaChain.Current = mirrors.Count == 0 ? null : string.Join(", ", mirrors);
        return mirrors.Count > MaxLength || mirrors.Contains(Signature);
    }

    private bool IsMirror(string entry) =>
        entry.Length == Signature.Length && entry.StartsWith(Kind, StringComparison.Ordinal) && entry.AsSpan(Kind.Length).IndexOfAnyExcept(Hex) < 0;
}
