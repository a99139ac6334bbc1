using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Mirror.Oci.Remote;

/// <summary>
/// Fetches and keeps bearer tokens of one registry (Distribution's token protocol). A token is fetched once however many requests need it,
/// and used for four fifths of its life, so that it does not expire on the way.
/// </summary>
internal sealed class BearerTokens(
    RemoteRegistryOptions options, RegistryCredentials credentials, HttpMessageInvoker transport, TimeProvider time)
{
    /// <summary>What the protocol gives a token that does not say how long it lives, and the least that clients reckon with.</summary>
    private static readonly TimeSpan DefaultLife = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongestLife = TimeSpan.FromHours(12);
    private const int MaxAnswerSize = 256 * 1024;
    private const int MaxKept = 4096;

    private readonly SharedRequests<string, RemoteAnswer<string>> _requests = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (string Token, DateTimeOffset UsableUntil)> _kept = [];

    /// <summary>A token for <paramref name="scope"/>, such as <c>repository:library/alpine:pull</c>; several are separated by spaces.</summary>
    public Task<RemoteAnswer<string>> GetAsync(Challenge challenge, string scope, CancellationToken cancellationToken) =>
        FindKept(scope) is { } token
            ? Task.FromResult<RemoteAnswer<string>>(token)
            : _requests.AskAsync(scope, () => FetchAndKeepAsync(challenge, scope), cancellationToken);

    /// <summary>The registry refused <paramref name="token"/>. One that has taken its place meanwhile stays.</summary>
    public void Forget(string scope, string token)
    {
        lock (_gate)
        {
            if (_kept.TryGetValue(scope, out var kept) && kept.Token == token)
            {
                _kept.Remove(scope);
            }
        }
    }

    private string? FindKept(string scope)
    {
        lock (_gate)
        {
            return _kept.TryGetValue(scope, out var kept) && time.GetUtcNow() < kept.UsableUntil ? kept.Token : null;
        }
    }

    private async Task<RemoteAnswer<string>> FetchAndKeepAsync(Challenge challenge, string scope)
    {
        // Whoever asked in the moment between the last request's end and this one's start finds that one's token.
        if (FindKept(scope) is { } token)
        {
            return token;
        }

        if (!Realm.TryParse(challenge.Find("realm"), options, out var realm))
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Forbidden, $"{options.Name} names a token server that can not be used: it must be https");
        }

        var known = await credentials.GetAsync(CancellationToken.None);
        if (known is not RemoteAnswer<Login>.Found(var login))
        {
            return ((RemoteAnswer<Login>.Failed)known).Failure;
        }

        var shown = Realm.MaySeeCredentials(options, realm) ? login : Login.Anonymous;
        return await AskAsync(realm, challenge.Find("service"), scope, shown) switch
        {
            RemoteAnswer<HttpResponseMessage>.Found(var response) => await ReadAsync(response, realm, scope, shown, isWithheld: shown != login),
            RemoteAnswer<HttpResponseMessage>.Failed(var failure) => failure,
            _ => throw new UnreachableException(),
        };
    }

    /// <summary>An identity token is for OAuth2's POST; a token server that knows only GET may take it as a password.</summary>
    private async Task<RemoteAnswer<HttpResponseMessage>> AskAsync(Uri realm, string? service, string scope, Login login)
    {
        if (login.IdentityToken is { } identityToken)
        {
            var form = new FormUrlEncodedContent(
            [
                new("grant_type", "refresh_token"), new("service", service ?? ""), new("client_id", "mirror"), new("scope", scope),
                new("refresh_token", identityToken),
            ]);
            var posted = await SendAsync(new HttpRequestMessage(HttpMethod.Post, realm) { Content = form });
            if (posted is not RemoteAnswer<HttpResponseMessage>.Found({ StatusCode: HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized
                or HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed } response))
            {
                return posted;
            }

            response.Dispose();
        }

        var request = new HttpRequestMessage(HttpMethod.Get, WithQuery(realm, service, scope, login.Basic?.Username));
        request.Headers.Authorization = login.Basic is { } basic ? Realm.Basic(basic) : null;
        return await SendAsync(request);

        Task<RemoteAnswer<HttpResponseMessage>> SendAsync(HttpRequestMessage message)
        {
            message.Headers.TryAddWithoutValidation("User-Agent", options.UserAgent);
            return TimedSend.SendAsync(transport, message, options, $"the token server {realm.Host}", time, answerTimeout: null, CancellationToken.None);
        }
    }

    private static Uri WithQuery(Uri realm, string? service, string scope, string? user)
    {
        var query = realm.Query.TrimStart('?');
        var separator = query.Length == 0 ? "" : "&";
        var account = user is null ? "" : $"&account={Uri.EscapeDataString(user)}";
        var serviceQuery = service is null ? "" : $"service={Uri.EscapeDataString(service)}&";
        var scopes = string.Join('&', scope.Split(' ').Select(one => $"scope={Uri.EscapeDataString(one)}"));
        return new UriBuilder(realm) { Query = $"{query}{separator}{serviceQuery}{scopes}{account}" }.Uri;
    }

    private async Task<RemoteAnswer<string>> ReadAsync(HttpResponseMessage response, Uri realm, string scope, Login shown, bool isWithheld)
    {
        await using var body = await RemoteBody.OpenAsync(response, options, time, CancellationToken.None);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            var aside = isWithheld
                ? $"the credentials of {options.Name} were not sent to it, because it is not listed in the registry's realms"
                : shown.Basic is { } basic ? $"it was asked as user {basic.Username}" : null;
            switch (StatusAnswers.FailureOf(response, $"the token server {realm.Host}", await body.ReadErrorAsync()))
            {
                case RemoteFailure.Denied denied:
                    credentials.Forget();
                    return denied with { Aside = aside };

                case RemoteFailure.Missing missing:
                    return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, missing.Why);

                case var failure:
                    return failure;
            }
        }

        try
        {
            using var document = JsonDocument.Parse(await body.ReadWholeAsync(MaxAnswerSize));
            return Keep(document.RootElement, scope)
                ?? (RemoteAnswer<string>)new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"the token server {realm.Host} answered without a token");
        }
        catch (RemoteReadException e)
        {
            return e.Failure;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"the token server {realm.Host} answered with something that is not JSON");
        }
    }

    private string? Keep(JsonElement answer, string scope)
    {
        var token = FindString(answer, "token") ?? FindString(answer, "access_token");
        if (token is null || !AuthenticationHeaderValue.TryParse($"Bearer {token}", out _))
        {
            return null;
        }

        var life = answer.TryGetProperty("expires_in", out var expires) && expires.ValueKind == JsonValueKind.Number
            && expires.TryGetDouble(out var seconds) && seconds > DefaultLife.TotalSeconds
            ? TimeSpan.FromSeconds(Math.Min(seconds, LongestLife.TotalSeconds))
            : DefaultLife;
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (_kept.Count >= MaxKept)
            {
                _kept.Clear();
            }

            _kept[scope] = (token, now + (life * 0.8));
        }

        return token;
    }

    private static string? FindString(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            && value.GetString() is { Length: > 0 } text ? text : null;
}
