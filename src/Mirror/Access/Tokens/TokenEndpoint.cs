using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Mirror.Configuration.Reading;

namespace Mirror.Access.Tokens;

/// <summary>
/// <c>/token</c>, where clients get what they show at <c>/v2/</c>: in Docker's form (GET, with or without a name and password) and in
/// OAuth2's (POST). It grants what is asked for; what may be done is decided when a token is used.
/// </summary>
/// <param name="tokens">Issues them.</param>
/// <param name="checkPassword">Whether a name and password are a user's.</param>
/// <param name="findCertificateUser">Whom the client's certificate names; null where it has none.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told of what is issued, never of a secret.</param>
public sealed partial class TokenEndpoint(
    OwnTokens tokens,
    Func<HttpContext, string, string, Task<LoginAnswer>> checkPassword,
    Func<HttpContext, string?> findCertificateUser,
    TimeProvider time,
    ILogger<TokenEndpoint> logger)
{
    private const int MaxBody = 64 * 1024;
    private const string FormType = "application/x-www-form-urlencoded";

    /// <summary>For the whole body, which is small. Nobody has shown yet who it is, and each takes memory meanwhile.</summary>
    private static readonly TimeSpan BodyPatience = TimeSpan.FromSeconds(30);

    public Task HandleAsync(HttpContext http)
    {
        // RFC 6749, 5.1.
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.Pragma = "no-cache";
        if (HttpMethods.IsGet(http.Request.Method))
        {
            return GetAsync(http);
        }

        if (HttpMethods.IsPost(http.Request.Method))
        {
            return PostAsync(http);
        }

        http.Response.Headers.Allow = "GET, POST";
        return WriteAsync(http, Refusal.Method);
    }

    private async Task GetAsync(HttpContext http)
    {
        var query = http.Request.Query;
        if (FindWrongService(query["service"]) is { } refusal)
        {
            await WriteAsync(http, refusal);
            return;
        }

        var grant = new Grant(Scope.ReadAll(query["scope"]));
        if (http.Request.Headers.Authorization.Count == 0)
        {
            var user = findCertificateUser(http);
            await IssueAsync(http, user, byCertificate: user is not null, grant, withRefresh: false, isForm: false);
        }
        else if (BasicLogin.Find(http.Request.Headers.Authorization.ToString()) is not { } login)
        {
            await WriteAsync(http, Refusal.WrongLogin);
        }
        else if (await FindRefusalAsync(http, login.Name, login.Password) is { } wrong)
        {
            await WriteAsync(http, wrong);
        }
        else
        {
            await IssueAsync(http, login.Name, byCertificate: false, grant, query["offline_token"] == "true", isForm: false);
        }
    }

    private async Task PostAsync(HttpContext http)
    {
        var (form, wrongBody) = await ReadFormAsync(http);
        if (form is null)
        {
            await WriteAsync(http, wrongBody!);
            return;
        }

        if (FindWrongService(form.GetValueOrDefault("service")) is { } refusal)
        {
            await WriteAsync(http, refusal);
            return;
        }

        var grant = new Grant(Scope.ReadAll(form.GetValueOrDefault("scope")));
        switch (FindOne(form, "grant_type"))
        {
            case "password" when FindOne(form, "username") is { } user && FindOne(form, "password") is { } password:
                if (await FindRefusalAsync(http, user, password) is { } wrong)
                {
                    await WriteAsync(http, wrong);
                    return;
                }

                await IssueAsync(http, user, byCertificate: false, grant, FindOne(form, "access_type") == "offline", isForm: true);
                break;
            case "refresh_token" when FindOne(form, "refresh_token") is { } refreshToken:
                if (await tokens.FindUserAsync(refreshToken) is not { } refreshed)
                {
                    await WriteAsync(http, Refusal.WrongRefresh);
                    return;
                }

                // Without another refresh token: 90 days are 90 days.
                await IssueAsync(http, refreshed, byCertificate: false, grant, withRefresh: false, isForm: true);
                break;
            case "password" or "refresh_token" or null:
                await WriteAsync(http, Refusal.Incomplete);
                break;
            default:
                await WriteAsync(http, Refusal.GrantType);
                break;
        }
    }

    private async Task IssueAsync(HttpContext http, string? user, bool byCertificate, Grant grant, bool withRefresh, bool isForm)
    {
        var issuedAt = time.GetUtcNow();
        if (await tokens.FindAccessAsync(user, byCertificate, grant) is not { } access)
        {
            // Gone since the password was checked.
            await WriteAsync(http, Refusal.WrongLogin);
            return;
        }

        LogIssued(user is null ? "nobody in particular" : Printable.Of(user), grant);
        await WriteAsync(http, StatusCodes.Status200OK, JsonSerializer.SerializeToUtf8Bytes(
            new TokenReply(
                isForm ? null : access,
                access,
                (int)OwnTokens.AccessLife.TotalSeconds,
                issuedAt.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
                isForm ? grant.ToString() : null,
                withRefresh ? await tokens.FindRefreshAsync(user!) : null),
            TokenReplyJson.Default.TokenReply));
    }

    private async Task<Refusal?> FindRefusalAsync(HttpContext http, string user, string password)
    {
        switch (await checkPassword(http, user, password))
        {
            case LoginAnswer.Right:
                return null;
            case LoginAnswer.TooMany(var retryAfter):
                http.Response.Headers.RetryAfter = Math.Ceiling(Math.Max(retryAfter.TotalSeconds, 1)).ToString(CultureInfo.InvariantCulture);
                return Refusal.TooMany;
            default:
                return Refusal.WrongLogin;
        }
    }

    private Refusal? FindWrongService(StringValues services) =>
        services.All(service => string.IsNullOrEmpty(service) || service == tokens.Service) ? null : Refusal.Service;

    /// <summary>RFC 6749, 3.2: no parameter may be there twice.</summary>
    private static string? FindOne(Dictionary<string, StringValues> form, string name) =>
        form.TryGetValue(name, out var values) && values.Count == 1 ? values[0] : null;

    private async Task<(Dictionary<string, StringValues>? Form, Refusal? Refusal)> ReadFormAsync(HttpContext http)
    {
        if (http.Request.ContentLength > MaxBody
            || !MediaTypeHeaderValue.TryParse(http.Request.ContentType, out var type)
            || !type.MediaType.Equals(FormType, StringComparison.OrdinalIgnoreCase))
        {
            return (null, Refusal.NoForm);
        }

        var reader = http.Request.BodyReader;
        using var patience = new CancellationTokenSource(BodyPatience, time);
        // Not with the token: the server would take the read for one that still runs, and could not dispose of what is left of the body.
        using var ending = patience.Token.Register(reader.CancelPendingRead);
        var read = await reader.ReadAsync(CancellationToken.None);
        while (!read.IsCanceled && !read.IsCompleted && read.Buffer.Length <= MaxBody)
        {
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            read = await reader.ReadAsync(CancellationToken.None);
        }

        var body = read.Buffer.Length <= MaxBody ? Encoding.UTF8.GetString(read.Buffer) : null;
        reader.AdvanceTo(read.Buffer.End);
        if (read.IsCanceled)
        {
            http.Response.Headers.Connection = "close";
            return (null, Refusal.Slow);
        }

        if (body is null)
        {
            return (null, Refusal.NoForm);
        }

        try
        {
            using var form = new FormReader(body);
            return (await form.ReadFormAsync(http.RequestAborted), null);
        }
        catch (InvalidDataException)
        {
            return (null, Refusal.NoForm);
        }
    }

    private Task WriteAsync(HttpContext http, Refusal refusal)
    {
        if (refusal.Status == StatusCodes.Status401Unauthorized)
        {
            http.Response.Headers.WWWAuthenticate = $"Basic realm=\"{tokens.Service}\"";
        }

        // Both forms at once: OAuth2's for who reads that, and the registry's, which docker shows to people.
        return WriteAsync(http, refusal.Status, JsonSerializer.SerializeToUtf8Bytes(
            new TokenRefusal(refusal.Error, refusal.Message, [new RegistryRefusal(refusal.Code, refusal.Message)]), TokenReplyJson.Default.TokenRefusal));
    }

    private static async Task WriteAsync(HttpContext http, int status, byte[] body)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
        {
            await http.Response.Body.WriteAsync(body, http.RequestAborted);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "A token for {User}: {Scopes}")]
    private partial void LogIssued(string user, Grant scopes);

    /// <summary>What is answered, with RFC 6749's name for it (5.2) and the distribution spec's.</summary>
    private sealed record Refusal(int Status, string Error, string Code, string Message)
    {
        public static readonly Refusal WrongLogin = new(401, "invalid_grant", "UNAUTHORIZED", "the user name or the password is wrong");
        public static readonly Refusal WrongRefresh = new(401, "invalid_grant", "UNAUTHORIZED", "the refresh token has ended, or counts no more: log in again");
        public static readonly Refusal TooMany = new(429, "temporarily_unavailable", "TOOMANYREQUESTS", "too many wrong passwords: wait before the next try");
        public static readonly Refusal Service = new(400, "invalid_request", "UNSUPPORTED", "tokens for this service are not issued here");
        public static readonly Refusal NoForm = new(400, "invalid_request", "UNSUPPORTED", $"the body has to be {FormType}, of at most 64 KiB");
        public static readonly Refusal Slow = new(408, "invalid_request", "UNSUPPORTED", $"the body was not there after {BodyPatience.TotalSeconds} seconds");
        public static readonly Refusal Incomplete = new(
            400,
            "invalid_request",
            "UNSUPPORTED",
            "write grant_type=password with username and password, or grant_type=refresh_token with refresh_token, each once");
        public static readonly Refusal GrantType = new(400, "unsupported_grant_type", "UNSUPPORTED", "only the grant types password and refresh_token are known");
        public static readonly Refusal Method = new(405, "invalid_request", "UNSUPPORTED", "tokens are asked for with GET or POST");
    }
}
