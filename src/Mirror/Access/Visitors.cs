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
/// <param name="tokens">Checks tokens.</param>
/// <param name="audit">Is told of logins.</param>
public sealed class Visitors(Permissions permissions, Logins? logins, TokenReader tokens, AuditLog audit)
{
    private const string Bearer = "Bearer ";

    /// <summary>Who has nginx check passwords, as is usual before a registry:2, meets this first.</summary>
    private const string NoUsers = "there are no users here, so no name and password is right: a proxy that has checked them has to take the Authorization "
        + "header away";

    /// <summary>The CN of a certificate's subject, as an object identifier: nothing else in it is a user's name.</summary>
    private const string CommonName = "2.5.4.3";

    /// <param name="http">The request.</param>
    /// <param name="emptyIsNobody">Whether an empty name with an empty password says nothing; it is wrong where it does not.</param>
    public async ValueTask<Recognition> RecognizeAsync(HttpContext http, bool emptyIsNobody)
    {
        var address = http.Connection.RemoteIpAddress;
        var header = http.Request.Headers.Authorization;
        var given = header.Count == 1 ? header.ToString() : "";
        var login = BasicLogin.Find(given);
        return header.Count == 0 || (emptyIsNobody && login is { IsEmpty: true })
                ? new Recognition.Known(Visitor.Of(permissions, new Client(FindCertificateUser(http), address)))
            : given.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? await WithTokenAsync(http, given[Bearer.Length..].Trim())
            : login is not null && logins is null ? new Recognition.Wrong(NoUsers, IsToken: false)
            : login is not null ? await WithPasswordAsync(http, login)
            : new Recognition.Wrong("the Authorization header can not be read: it is neither Basic nor Bearer", IsToken: false);
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
    public static string? FindCertificateUser(HttpContext http) => http.Connection.ClientCertificate?.SubjectName.EnumerateRelativeDistinguishedNames()
        .Where(part => !part.HasMultipleElements && part.GetSingleElementType().Value == CommonName)
        .Select(part => part.GetSingleElementValue())
        .FirstOrDefault(name => !string.IsNullOrEmpty(name));

    private async Task<Recognition> WithPasswordAsync(HttpContext http, BasicLogin login) =>
        await LoginAsync(http, login.Name, login.Password) switch
        {
            LoginAnswer.Right => new Recognition.Known(Visitor.Of(permissions, new Client(login.Name, http.Connection.RemoteIpAddress))),
            LoginAnswer.TooMany(var retryAfter) => new Recognition.TooMany(retryAfter),
            _ => new Recognition.Wrong("the name or the password is wrong", IsToken: false),
        };

    private async Task<Recognition> WithTokenAsync(HttpContext http, string token)
    {
        var address = http.Connection.RemoteIpAddress;
        return await tokens.ReadAsync(token) switch
        {
            TokenAnswer.Own(var user, var grant) => new Recognition.Known(Visitor.WithToken(permissions, new Client(user, address), grant)),
            TokenAnswer.Foreign(var subject, var grant) =>
                new Recognition.Known(Visitor.WithForeignToken(permissions, new Client(subject, address), grant)),
            TokenAnswer.Wrong(var why) => new Recognition.Wrong(why, IsToken: true),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }
}
