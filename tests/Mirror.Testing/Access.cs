using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>Who may read a fake registry.</summary>
internal abstract class Access
{
    public static Access Open { get; } = new Everybody();

    /// <summary>The refusal that this request gets; null if it may pass.</summary>
    public abstract Answer? Challenge(RecordedRequest request);

    private static Answer Unauthorized(RecordedRequest request, string challenge)
    {
        var answer = new Answer(request);
        answer.Become(401, """{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}""");
        answer.Headers["WWW-Authenticate"] = challenge;
        return answer;
    }

    private sealed class Everybody : Access
    {
        public override Answer? Challenge(RecordedRequest request) => null;
    }

    /// <param name="user">May read everything.</param>
    /// <param name="password">The user's.</param>
    /// <param name="open">What everybody may read.</param>
    public sealed class Basic(string user, string password, IReadOnlyCollection<RepositoryName> open) : Access
    {
        public override Answer? Challenge(RecordedRequest request) =>
            request.Credentials() == (user, password)
            || (request.Header("Authorization") is null
                && open.Any(name => request.Path.StartsWith($"/v2/{name}/", StringComparison.Ordinal)))
                ? null
                : Unauthorized(request, "Basic realm=\"fake\"");
    }

    /// <param name="service">Where the tokens come from.</param>
    /// <param name="options">How it is told.</param>
    /// <param name="realm">Asked late: a registry knows its own address only when it has started.</param>
    public sealed class Tokens(TokenService service, TokenOptions options, Func<Uri> realm) : Access
    {
        public TokenService Service => service;

        public override Answer? Challenge(RecordedRequest request)
        {
            var needed = ScopesOf(request).ToList();
            var authorization = request.Header("Authorization");
            var error = authorization is null ? null
                : !authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? "invalid_token"
                : service.FindGrants(authorization["Bearer ".Length..]) is not { } grants ? "invalid_token"
                : !needed.TrueForAll(grants.Contains) ? "insufficient_scope"
                : "";
            if (error is "")
            {
                return null;
            }

            if (error is "insufficient_scope" && options.HidesPrivate)
            {
                return Answer.Error(request, 404, "NAME_UNKNOWN", "repository name not known to registry");
            }

            var parts = new List<string> { $"realm=\"{realm()}\"", $"service=\"{options.Service}\"" };
            if ((options.ChallengeScope ?? (needed.Count > 0 ? string.Join(' ', needed) : null)) is { } scope)
            {
                parts.Add($"scope=\"{scope}\"");
            }

            if (error is not null)
            {
                parts.Add($"error=\"{error}\"");
            }

            return Unauthorized(request, "Bearer " + string.Join(',', parts));
        }

        /// <summary>None for <c>/v2/</c>, for which any token does.</summary>
        private static IEnumerable<string> ScopesOf(RecordedRequest request) => request.Path.Split('/') switch
        {
            ["", "v2", "_catalog"] => ["registry:catalog:*"],
            ["", "v2", .. var name, "blobs", "uploads", _] => ScopesIn(name, request),
            ["", "v2", .. var name, "blobs" or "manifests" or "referrers", _] => ScopesIn(name, request),
            ["", "v2", .. var name, "tags", "list"] => ScopesIn(name, request),
            _ => [],
        };

        /// <summary>As at CNCF Distribution: a mount needs the other repository too, and what is deleted the right to delete.</summary>
        private static IEnumerable<string> ScopesIn(string[] components, RecordedRequest request)
        {
            var name = string.Join('/', components);
            var from = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(request.Query).GetValueOrDefault("from").ToString();
            return !RepositoryName.TryParse(name, out _) ? []
                : request.Method == HttpMethod.Get || request.Method == HttpMethod.Head ? [$"repository:{name}:pull"]
                : request.Method == HttpMethod.Delete ? [$"repository:{name}:delete"]
                : from.Length > 0 ? [$"repository:{name}:pull", $"repository:{name}:push", $"repository:{from}:pull"]
                : [$"repository:{name}:pull", $"repository:{name}:push"];
        }
    }
}
