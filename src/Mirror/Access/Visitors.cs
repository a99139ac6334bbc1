using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using Mirror.Access.Tokens;

namespace Mirror.Access;

/// <summary>Whether a request's sender is who it says.</summary>
public abstract record Recognition
{
    private Recognition()
    {
    }

    /// <summary>It is, or has said nothing.</summary>
    public sealed record Known(Visitor Visitor) : Recognition;

    /// <summary>It is not. That is never taken for having said nothing: who has made a mistake is to learn of it.</summary>
    /// <param name="Why">For people.</param>
    /// <param name="IsToken">Whether it has shown a token, and is to ask for another one.</param>
    public sealed record Wrong(string Why, bool IsToken) : Recognition;

    /// <summary>Nobody has looked: too many from the same address were wrong.</summary>
    public sealed record TooMany(TimeSpan RetryAfter) : Recognition;
}

/// <summary>Finds out who sends requests: by the Authorization header (a password or a token), or else by the client's certificate.</summary>
/// <param name="permissions">What they then may.</param>
/// <param name="logins">Checks passwords; null where there are no users.</param>
/// <param name="tokens">Checks tokens; null where nobody gives any.</param>
/// <param name="audit">Is told of logins.</param>
public sealed class Visitors(Permissions permissions, Logins? logins, TokenReader? tokens, AuditLog audit)
{
    public async ValueTask<Recognition> RecognizeAsync(HttpContext http)
    {
        var address = http.Connection.RemoteIpAddress;
        var header = http.Request.Headers.Authorization;
        if (header.Count == 0)
        {
            return new Recognition.Known(Visitor.Of(permissions, new Client(FindCertificateUser(http), address)));
        }

        if (header.Count == 1 && AuthenticationHeaderValue.TryParse(header[0], out var given))
        {
            if (given.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase))
            {
                return TryReadBasic(given.Parameter, out var user, out var password)
                    ? await WithPasswordAsync(http, user, password)
                    : new Recognition.Wrong("the Authorization header has no name and password that can be read", IsToken: false);
            }

            if (given.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) && tokens is not null)
            {
                return await WithTokenAsync(http, given.Parameter ?? "");
            }
        }

        return new Recognition.Wrong("the Authorization header is neither Basic nor Bearer", IsToken: false);
    }

    /// <summary>Checks a name and password that a request has shown, wherever in it.</summary>
    public async Task<LoginAnswer> LoginAsync(HttpContext http, string user, string password)
    {
        var address = http.Connection.RemoteIpAddress;
        LoginAnswer answer = logins is null ? new LoginAnswer.Wrong() : await logins.CheckAsync(address, user, password);
        switch (answer)
        {
            case LoginAnswer.Right { WasKnown: false }:
                audit.LoggedIn(new Client(user, address));
                break;

            case LoginAnswer.Wrong:
                audit.LoginFailed(new Client(user, address));
                break;

            case LoginAnswer.TooMany:
                audit.LoginSlowed(new Client(user, address));
                break;
        }

        return answer;
    }

    /// <summary>The name in the client's certificate, which was verified when it connected; null where it has shown none.</summary>
    public static string? FindCertificateUser(HttpContext http) =>
        http.Connection.ClientCertificate?.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is { Length: > 0 } name ? name : null;

    /// <summary>Reads what stands behind Basic (RFC 7617), in UTF-8.</summary>
    public static bool TryReadBasic(string? parameter, out string user, out string password)
    {
        (user, password) = ("", "");
        try
        {
            var text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true)
                .GetString(Convert.FromBase64String(parameter ?? ""));
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0 || text.Contains('\0', StringComparison.Ordinal))
            {
                return false;
            }

            (user, password) = (text[..colon], text[(colon + 1)..]);
            return true;
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            return false;
        }
    }

    private async Task<Recognition> WithPasswordAsync(HttpContext http, string user, string password) =>
        await LoginAsync(http, user, password) switch
        {
            LoginAnswer.Right => new Recognition.Known(Visitor.Of(permissions, new Client(user, http.Connection.RemoteIpAddress))),
            LoginAnswer.TooMany(var retryAfter) => new Recognition.TooMany(retryAfter),
            _ => new Recognition.Wrong("the name or the password is wrong", IsToken: false),
        };

    private async ValueTask<Recognition> WithTokenAsync(HttpContext http, string token)
    {
        var address = http.Connection.RemoteIpAddress;
        return await tokens!.ReadAsync(token) switch
        {
            TokenAnswer.Own(var user, var grant) => new Recognition.Known(Visitor.WithToken(permissions, new Client(user, address), grant)),
            TokenAnswer.Foreign(var subject, var grant) =>
                new Recognition.Known(Visitor.WithForeignToken(permissions, new Client(subject, address), grant)),
            TokenAnswer.Wrong(var why) => new Recognition.Wrong(why, IsToken: true),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }
}
