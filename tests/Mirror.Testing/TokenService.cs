using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>How a fake registry's tokens are asked for and given out.</summary>
public sealed record TokenOptions
{
    /// <summary>Whether those who have no credentials get a token, for what is not <see cref="Private"/>.</summary>
    public bool AllowAnonymous { get; init; } = true;

    /// <summary>The repositories that only the user may read. Others get a token that does not open them, as at Docker Hub.</summary>
    public IReadOnlyCollection<RepositoryName> Private { get; init; } = [];

    /// <summary>Whether who may not read something is told that it does not exist.</summary>
    public bool HidesPrivate { get; init; }

    /// <summary>The token's name in the reply: <c>token</c>, <c>access_token</c>.</summary>
    public string Field { get; init; } = "token";

    /// <summary>Said to the client, in seconds; null leaves it out. Tokens end by <see cref="FakeRegistry.ExpireTokens"/>.</summary>
    public int? ExpiresIn { get; init; } = 300;

    public string Service { get; init; } = "fake";

    /// <summary>In place of the scope that is needed, as in <c>repository:user/image:pull</c>.</summary>
    public string? ChallengeScope { get; init; }

    /// <summary>Whether a POST is understood, as OAuth2 has it; 405 otherwise.</summary>
    public bool AllowPost { get; init; } = true;

    /// <summary>Accepted as a <c>refresh_token</c> in a POST, in the user's name.</summary>
    public string? IdentityToken { get; init; }

    /// <summary>A token server at another address than the registry's.</summary>
    public TokenServer? Server { get; init; }
}

/// <summary>Gives out tokens and knows what they open.</summary>
internal sealed class TokenService
{
    public const string Path = "/token";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, IReadOnlySet<string>> _grants = [];
    private (string User, string Password)? _user;
    private TokenOptions _options = new();
    private int _number;

    private enum Caller
    {
        Anonymous,
        User,
        Stranger,
    }

    public void Set(string? user, string? password, TokenOptions options)
    {
        lock (_lock)
        {
            _user = user is null ? null : (user, password ?? "");
            _options = options;
            _grants.Clear();
        }
    }

    public void Expire()
    {
        lock (_lock)
        {
            _grants.Clear();
        }
    }

    /// <summary>The scopes that a token opens, each with one action; null if it is not, or no longer, one of ours.</summary>
    public IReadOnlySet<string>? FindGrants(string token)
    {
        lock (_lock)
        {
            return _grants.GetValueOrDefault(token);
        }
    }

    public Answer AnswerTo(RecordedRequest request)
    {
        var isPost = request.Method == HttpMethod.Post;
        if (isPost ? !_options.AllowPost : request.Method != HttpMethod.Get)
        {
            return Answer.Error(request, 405, "UNSUPPORTED", "not in this way");
        }

        var fields = QueryHelpers.ParseQuery(isPost ? request.Body : request.Query);
        var caller = isPost ? CallerOf(name => fields.GetValueOrDefault(name).ToString()) : CallerOf(request.Credentials());
        if (caller is Caller.Stranger || caller is Caller.Anonymous && !_options.AllowAnonymous)
        {
            return Answer.Error(request, 401, "UNAUTHORIZED", "incorrect username or password");
        }

        var scopes = fields.GetValueOrDefault("scope").SelectMany(scope => scope?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? []);
        var reply = new JsonObject { [_options.Field] = Issue(caller, scopes) };
        if (_options.ExpiresIn is { } seconds)
        {
            reply["expires_in"] = seconds;
        }

        return Answer.Of(request, MediaTypes.Json, TestImage.ToBytes(reply));
    }

    private Caller CallerOf((string User, string Password)? credentials) =>
        credentials is null ? Caller.Anonymous
        : _user is not null && credentials == _user ? Caller.User
        : Caller.Stranger;

    private Caller CallerOf(Func<string, string> field) => field("grant_type") switch
    {
        "password" => CallerOf((field("username"), field("password"))),
        "refresh_token" when _options.IdentityToken is { } token && field("refresh_token") == token => Caller.User,
        _ => Caller.Stranger,
    };

    private string Issue(Caller caller, IEnumerable<string> scopes)
    {
        var granted = scopes.SelectMany(SingleActions).Where(scope => caller is Caller.User || IsPublic(scope)).ToHashSet();
        lock (_lock)
        {
            var token = $"token-{++_number}-{Guid.NewGuid():N}";
            _grants[token] = granted;
            return token;
        }
    }

    private bool IsPublic(string scope) =>
        scope.EndsWith(":pull", StringComparison.Ordinal) && !_options.Private.Any(name => scope == $"repository:{name}:pull");

    /// <summary><c>repository:a/b:pull,push</c> as two scopes of one action each.</summary>
    private static IEnumerable<string> SingleActions(string scope)
    {
        var end = scope.LastIndexOf(':') + 1;
        return scope[end..].Split(',').Select(action => scope[..end] + action);
    }
}
