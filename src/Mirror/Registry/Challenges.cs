using Microsoft.AspNetCore.Http;
using Mirror.Access;
using Mirror.Configuration;

namespace Mirror.Registry;

/// <summary>
/// How those are refused who may not: with a challenge (401) where logging in could help, so that clients do it, and else flatly (403). Neither depends
/// on what there is.
/// </summary>
/// <param name="realm">Where tokens are had, as the client of a request reaches it.</param>
/// <param name="service">For whom.</param>
/// <param name="audit">Is told who was denied what.</param>
internal sealed class Challenges(Func<HttpContext, Uri> realm, string service, AuditLog audit)
{
    private const string ListScope = "registry:catalog:*";

    /// <summary>Refuses who has shown what is not right.</summary>
    public Task RefuseAsync(HttpContext http, Recognition recognition) => recognition switch
    {
        Recognition.Wrong(var why, var isToken) => ChallengeAsync(http, scope: null, isToken ? "invalid_token" : null, why),
        Recognition.TooMany(var retryAfter) => RegistryError.TooManyRequests.WriteAsync(
            http, "too many logins from this address failed", ("Retry-After", $"{Math.Ceiling(retryAfter.TotalSeconds)}")),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>Refuses what a visitor may not do with a repository.</summary>
    /// <param name="http">The request.</param>
    /// <param name="visitor">Who may not.</param>
    /// <param name="wanted">What.</param>
    /// <param name="target">With which repository.</param>
    /// <param name="remedy">What would help.</param>
    public Task RefuseAsync(HttpContext http, Visitor visitor, Rights wanted, Target target, Remedy remedy)
    {
        var verb = wanted.ToString().ToLowerInvariant();
        if (remedy == Remedy.None)
        {
            audit.Denied(visitor.Client, verb, target.FullName);
            return RegistryError.Denied.WriteAsync(
                http,
                visitor.User is { } user
                    ? $"{user} may not {verb} here: the rules of access do not give that"
                    : $"nobody may {verb} here: access.anonymous does not include it");
        }

        var actions = wanted == Rights.Push ? "pull,push" : verb;
        return ChallengeAsync(http, $"repository:{target.AskedFor}:{actions}", remedy == Remedy.Scope ? "insufficient_scope" : null, $"log in to {verb} here");
    }

    /// <summary>Refuses a list to who may see none.</summary>
    public Task RefuseListAsync(HttpContext http, Remedy remedy) => remedy == Remedy.None
        ? RegistryError.Denied.WriteAsync(http, "there is no repository here that you may pull")
        : ChallengeAsync(http, ListScope, remedy == Remedy.Scope ? "insufficient_scope" : null, "log in to see what there is");

    /// <summary>Has a client log in that has not tried.</summary>
    public Task ChallengeAsync(HttpContext http) => ChallengeAsync(http, scope: null, error: null, "log in");

    private Task ChallengeAsync(HttpContext http, string? scope, string? error, string detail)
    {
        var challenge = $"Bearer realm=\"{realm(http).AbsoluteUri}\",service=\"{service}\"";
        challenge += scope is null ? "" : $",scope=\"{scope}\"";
        challenge += error is null ? "" : $",error=\"{error}\"";
        return RegistryError.Unauthorized.WriteAsync(http, detail, ("WWW-Authenticate", challenge));
    }
}
