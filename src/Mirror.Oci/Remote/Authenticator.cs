using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Mirror.Oci.Remote;

/// <summary>What to send: nothing where there is no header. A failure says why there is none although the registry once asked for one.</summary>
/// <param name="Header">For the registry's own origin.</param>
/// <param name="Failure">Why there is no header.</param>
/// <param name="User">Who the header itself says that we are.</param>
internal readonly record struct Authorization(AuthenticationHeaderValue? Header, RemoteFailure? Failure, string? User = null);

/// <summary>
/// Answers one registry's challenges. It remembers the last challenge, so that only the first request of all is sent without authorization,
/// and the tokens of each scope. It knows only the registry's own origin: nothing it returns may be sent anywhere else.
/// </summary>
internal sealed class Authenticator(RemoteRegistryOptions options, RegistryCredentials credentials, BearerTokens tokens)
{
    private volatile Challenge? _challenge;

    /// <summary>The authorization for a request of <paramref name="scope"/>: none where the registry has not asked for any.</summary>
    public async Task<Authorization> AuthorizeAsync(string scope, CancellationToken cancellationToken)
    {
        if (_challenge is not { } challenge)
        {
            return default;
        }

        if (challenge.Is("Basic"))
        {
            return await credentials.GetAsync(cancellationToken) switch
            {
                RemoteAnswer<Login>.Found({ Basic: { } basic }) => new Authorization(Realm.Basic(basic), null, basic.Username),
                RemoteAnswer<Login>.Failed(var failure) => new Authorization(null, failure),
                _ => new Authorization(null, new RemoteFailure.Denied($"{options.Name} asks for a user name and password, and none are configured")),
            };
        }

        return await tokens.GetAsync(challenge, scope, cancellationToken) switch
        {
            RemoteAnswer<string>.Found(var token) => new Authorization(new AuthenticationHeaderValue("Bearer", token), null),
            RemoteAnswer<string>.Failed(var failure) => new Authorization(null, failure),
            _ => throw new UnreachableException(),
        };
    }

    /// <summary>
    /// Takes note of a 401. Answers whether it makes sense to try again: the registry named a way to authenticate that we know and have
    /// not just been refused with.
    /// </summary>
    public bool Challenged(HttpResponseMessage response, string scope, AuthenticationHeaderValue? used)
    {
        var challenges = Challenge.ParseAll(
            response.Headers.NonValidated.TryGetValues("WWW-Authenticate", out var lines) ? lines : []);
        var challenge = challenges.FirstOrDefault(c => c.Is("Bearer") && c.Find("realm") is not null)
            ?? challenges.FirstOrDefault(c => c.Is("Basic"));
        if (response.StatusCode != HttpStatusCode.Unauthorized || challenge is null)
        {
            return false;
        }

        _challenge = challenge;
        if (used is { Scheme: "Bearer", Parameter: { } token })
        {
            tokens.Forget(scope, token);
        }

        return used?.Scheme != "Basic" || credentials.Forget() || challenge.Is("Bearer");
    }

    /// <summary>Says in a refusal that it was the configured credentials that were refused.</summary>
    public static RemoteAnswer<HttpResponseMessage> Explain(RemoteAnswer<HttpResponseMessage> answer, Authorization used) =>
        used.User is not null && answer is RemoteAnswer<HttpResponseMessage>.Failed(RemoteFailure.Denied denied)
            ? denied with { Aside = $"it was asked as user {used.User}" }
            : answer;
}
