using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;
using Mirror.Configuration;

namespace Mirror.Access.Tokens;

/// <param name="Said">What the file holds.</param>
/// <param name="Keys">Its keys, each as signatures are verified with it.</param>
internal sealed record TrustedKeys(TokenKeys Said, IReadOnlyList<(TokenKey Said, SecurityKey Key)> Keys)
{
    public static TrustedKeys Of(TokenKeys keys) => new(keys, [.. keys.Keys.Select(key => (key, ToVerify(key)))]);

    public static SecurityKey ToVerify(TokenKey key) => key.Key switch
    {
        RSA rsa => new RsaSecurityKey(rsa),
        ECDsa ec => new ECDsaSecurityKey(ec),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}

/// <summary>
/// The keys in another issuer's file, which is read again when it has changed. Where it can not be read, or is gone,
/// those hold that it had.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told of a file that can not be read.</param>
public sealed partial class ForeignKeys(string path, TimeProvider time, ILogger<ForeignKeys> logger)
{
    /// <summary>A file that could not be read may be readable without having changed.</summary>
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private TrustedKeys? _keys;
    private FileState? _read;
    private DateTimeOffset _retryAt = DateTimeOffset.MinValue;

    /// <summary>The same object as long as the file has not changed.</summary>
    internal TrustedKeys Current()
    {
        lock (_gate)
        {
            var found = FileState.Find(path);
            var now = time.GetUtcNow();
            if (found != _read || now >= _retryAt)
            {
                var (keys, fault) = TokenKeys.Read(path);
                (_read, _retryAt) = (found, fault is null ? DateTimeOffset.MaxValue : now + RetryDelay);
                if (keys is not null)
                {
                    _keys = TrustedKeys.Of(keys);
                }
                else
                {
                    LogUnreadable(path, fault!);
                }
            }

            return _keys ??= TrustedKeys.Of(new TokenKeys([], []));
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The keys of another issuer's tokens are those that were read before: {Path} {Fault}")]
    private partial void LogUnreadable(string path, string fault);
}
