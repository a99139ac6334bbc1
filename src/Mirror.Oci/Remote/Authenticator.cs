using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Mirror.Oci.Remote;

/// <summary>What to send: nothing where there is no header. A failure says why there is none although the registry once asked for one.</summary>
internal readonly record struct Authorization(AuthenticationHeaderValue? Header, RemoteFailure? Failure);

/// <summary>
/// Answers one registry's challenges. It remembers the last challenge, so that only the first request of all is sent without authorization,
/// and the tokens of each scope. It knows only the registry's own origin: nothing it returns may be sent anywhere else.
/// </summary>
internal sealed class Authenticator(RemoteRegistryOptions options, BearerTokens tokens)
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
            return options.Credentials is { } credentials
                ? new Authorization(Realm.Basic(credentials), null)
                : new Authorization(null, new RemoteFailure.Denied($"{options.Name} asks for a user name and password, and none are configured"));
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

        return used?.Scheme != "Basic" || challenge.Is("Bearer");
    }

    /// <summary>Says in a refusal that it was the configured credentials that were refused.</summary>
    public RemoteAnswer<HttpResponseMessage> Explain(RemoteAnswer<HttpResponseMessage> answer, AuthenticationHeaderValue? used) =>
        used is { Scheme: "Basic" } && answer is RemoteAnswer<HttpResponseMessage>.Failed(RemoteFailure.Denied denied)
            ? denied with { Why = $"{denied.Why}; it was asked as user {options.Credentials!.Username}" }
            : answer;
}
