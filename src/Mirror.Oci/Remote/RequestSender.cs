using System.Net;
using System.Net.Http.Headers;

namespace Mirror.Oci.Remote;

/// <summary>A question to a registry: asked again after a challenge or a redirect, so kept apart from the message that carries it.</summary>
internal sealed record RemoteRequest(HttpMethod Method, Uri Target, string Scope)
{
    /// <summary>What registries answer to writes that they have done; few keep to the one that the spec names.</summary>
    public static readonly IReadOnlyList<HttpStatusCode> WriteSuccesses =
        [HttpStatusCode.OK, HttpStatusCode.Created, HttpStatusCode.Accepted, HttpStatusCode.NoContent];

    private static readonly IReadOnlyList<HttpStatusCode> ReadSuccesses = [HttpStatusCode.OK, HttpStatusCode.PartialContent];

    public RemotePatience Patience { get; init; }

    public string? Accept { get; init; }

    public RangeHeaderValue? Range { get; init; }

    public string? IfNoneMatch { get; init; }

    /// <summary>Makes the body, for each message anew.</summary>
    public Func<HttpContent>? Content { get; init; }

    /// <summary>
    /// Whether the body may be sent again behind a challenge. A stream may not: how much of it has arrived is asked first.
    /// </summary>
    public bool IsReplayable { get; init; } = true;

    /// <summary>How long the answer may take, where that is not the header timeout.</summary>
    public TimeSpan? AnswerTimeout { get; init; }

    public IReadOnlyList<HttpStatusCode> Successes { get; init; } = ReadSuccesses;
}

/// <summary>Sends a request as a registry's client must: authorized, redirected, timed, and answered in our terms.</summary>
internal sealed class RequestSender(RemoteRegistryOptions options, HttpMessageInvoker transport, Authenticator authenticator, TimeProvider time)
{
    private const int MaxRedirects = 5;

    private readonly Attempts _attempts = new(options.Name, time);

    private volatile RateLimit? _rateLimit;

    /// <summary>What the registry last said of our quota; null where it never did.</summary>
    public RateLimit? RateLimit => _rateLimit;

    /// <summary>An answer in our terms, after as many attempts as the request's patience allows: a success is Found, its body still unread.</summary>
    public Task<RemoteAnswer<HttpResponseMessage>> SendAsync(RemoteRequest request, CancellationToken cancellationToken) =>
        _attempts.MakeAsync(token => SendOnceAsync(request, token), request.Patience, cancellationToken);

    /// <summary>
    /// (1) authorize as the registry has asked for before; where that can not be done, perhaps it no longer asks
    /// (2) send, following redirects
    /// (3) after a challenge, authorize and send once more
    /// (4) turn the status into an answer
    /// </summary>
    private async Task<RemoteAnswer<HttpResponseMessage>> SendOnceAsync(RemoteRequest request, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var authorization = await authenticator.AuthorizeAsync(request.Scope, cancellationToken);
            if (attempt > 1 && authorization.Failure is not null)
            {
                return authorization.Failure;
            }

            var answer = await FollowAsync(request, authorization.Header, cancellationToken);
            if (answer is not RemoteAnswer<HttpResponseMessage>.Found(var response))
            {
                return answer;
            }

            if (IsFromRegistry(response))
            {
                _rateLimit = RateLimit.Find(response, time.GetUtcNow()) ?? _rateLimit;
            }

            if (attempt > 1 || !IsFromRegistry(response) || !authenticator.Challenged(response, request.Scope, authorization.Header)
                || !request.IsReplayable)
            {
                return Authenticator.Explain(await AnswerOfAsync(request, response, cancellationToken), authorization);
            }

            response.Dispose();
            if (authorization.Failure is not null)
            {
                return authorization.Failure;
            }
        }
    }

    private bool IsFromRegistry(HttpResponseMessage response) => Transport.IsOrigin(options, response.RequestMessage!.RequestUri!);

    private async Task<RemoteAnswer<HttpResponseMessage>> FollowAsync(
        RemoteRequest request, AuthenticationHeaderValue? authorization, CancellationToken cancellationToken)
    {
        var target = request.Target;
        for (var redirects = 0; ; redirects++)
        {
            // The authorization is for the registry's origin alone. Object stores refuse a request that carries one beside their signed
            // query, and anybody else must not see it.
            var isOrigin = Transport.IsOrigin(options, target);
            var allowed = isOrigin ? authorization : null;
            if (isOrigin)
            {
                RequestTally.Count(options.Name);
            }

            var answer = await TimedSend.SendAsync(
                transport, MessageOf(request, target, allowed), options, options.Name, time, request.AnswerTimeout, cancellationToken);
            if (answer is not RemoteAnswer<HttpResponseMessage>.Found(var response) || !IsRedirect(response.StatusCode))
            {
                return answer;
            }

            using (response)
            {
                if (redirects == MaxRedirects)
                {
                    return Forbidden($"{options.Name} redirected more than {MaxRedirects} times");
                }

                if (response.Headers.Location is not { } location)
                {
                    return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{options.Name} redirected without a Location");
                }

                if (!Uri.TryCreate(target, location, out var next))
                {
                    return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{options.Name} redirected to something that is no address");
                }

                if (FindFault(options, target, next) is { } fault)
                {
                    return Forbidden(fault);
                }

                target = next;
            }
        }
    }

    /// <summary>Why an answer may not lead from one address to another; null where it may.</summary>
    public static string? FindFault(RemoteRegistryOptions options, Uri from, Uri to) =>
        to.Scheme != Uri.UriSchemeHttps && to.Scheme != Uri.UriSchemeHttp ? $"{options.Name} redirected to something that is not http"
        : from.Scheme == Uri.UriSchemeHttps && to.Scheme == Uri.UriSchemeHttp ? $"{options.Name} redirected from https to http"
        : to.UserInfo.Length > 0 ? $"{options.Name} redirected to an address with credentials in it"
        : null;

    private static RemoteFailure.Unavailable Forbidden(string why) => new(UnavailableReason.Forbidden, why);

    private static bool IsRedirect(HttpStatusCode status) => status is HttpStatusCode.MovedPermanently or HttpStatusCode.Found
        or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect;

    private HttpRequestMessage MessageOf(RemoteRequest request, Uri target, AuthenticationHeaderValue? authorization)
    {
        var message = new HttpRequestMessage(request.Method, target) { Content = request.Content?.Invoke() };
        // What is refused is so before it is sent; and a refusal that is sent while we write would be lost with the connection.
        message.Headers.ExpectContinue = message.Content is StreamedContent ? true : null;
        message.Headers.Authorization = authorization;
        message.Headers.Range = request.Range;
        Add("Accept", request.Accept);
        Add("If-None-Match", request.IfNoneMatch);
        // A body encoded for the transport has another length and another digest.
        Add("Accept-Encoding", "identity");
        Add("User-Agent", options.UserAgent);
        Add("Via", options.Via is null || ViaChain.Current is null ? options.Via : $"{ViaChain.Current}, {options.Via}");
        return message;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                message.Headers.TryAddWithoutValidation(name, value);
            }
        }
    }

    private async Task<RemoteAnswer<HttpResponseMessage>> AnswerOfAsync(
        RemoteRequest request, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.StatusCode == HttpStatusCode.NotModified)
        {
            response.Dispose();
            return new RemoteAnswer<HttpResponseMessage>.Unchanged();
        }

        if (!request.Successes.Contains(response.StatusCode))
        {
            await using var body = await RemoteBody.OpenAsync(response, options, time, cancellationToken);
            return StatusAnswers.FailureOf(response, options.Name, await body.ReadErrorAsync());
        }

        if (response.Content.Headers.ContentEncoding.Any(encoding => !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase)))
        {
            response.Dispose();
            return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{options.Name} encoded its answer although it was asked not to");
        }

        return response;
    }
}
