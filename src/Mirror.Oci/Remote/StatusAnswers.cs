using System.Net;
using System.Text.Json;

namespace Mirror.Oci.Remote;

/// <summary>The one table from a remote registry's status to what it means.</summary>
internal static class StatusAnswers
{
    /// <param name="response">An answer whose status is not a success.</param>
    /// <param name="server">Who answered, for messages.</param>
    /// <param name="body">The beginning of its body.</param>
    public static RemoteFailure FailureOf(HttpResponseMessage response, string server, ReadOnlySpan<byte> body)
    {
        var (code, words) = WordsOf(body);
        return MeaningOf(response, $"{server} answered {(int)response.StatusCode}{words}", words) with { Status = response.StatusCode, Code = code };
    }

    private static RemoteFailure MeaningOf(HttpResponseMessage response, string why, string words) =>
        response.StatusCode switch
        {
            HttpStatusCode.NotFound => NotFound(response, why, words),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new RemoteFailure.Denied(why),
            HttpStatusCode.TooManyRequests => new RemoteFailure.Throttled(RetryAfter(response), why),
            HttpStatusCode.NotImplemented => new RemoteFailure.Unavailable(UnavailableReason.Unsupported, why),
            HttpStatusCode.RequestTimeout => new RemoteFailure.Unavailable(UnavailableReason.Timeout, why),
            HttpStatusCode.LoopDetected => new RemoteFailure.Unavailable(UnavailableReason.Forbidden, why),
            >= HttpStatusCode.InternalServerError => new RemoteFailure.Unavailable(UnavailableReason.ServerError, why)
            {
                RetryAfter = response.StatusCode == HttpStatusCode.ServiceUnavailable ? RetryAfter(response) : null,
            },
            >= HttpStatusCode.BadRequest => new RemoteFailure.Unavailable(UnavailableReason.Unsupported, why),
            _ => new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, why),
        };

    /// <summary>
    /// A 404 says that something does not exist only if a registry says it. A load balancer whose backend restarts answers 404 too, but with
    /// a page of its own. A HEAD has no body to tell by: then it is as good as no answer, and GET is to be asked.
    /// </summary>
    private static RemoteFailure NotFound(HttpResponseMessage response, string why, string words) =>
        words.Length > 0 || response.Headers.NonValidated.Contains("Docker-Distribution-API-Version") ? new RemoteFailure.Missing(why)
        : response.RequestMessage!.Method == HttpMethod.Head ? new RemoteFailure.Unavailable(UnavailableReason.Unsupported, why)
        : new RemoteFailure.Unavailable(UnavailableReason.NotFoundPage, $"{why}, but not as a registry does");

    /// <summary>A date goes by the registry's own clock, which need not agree with ours; without that it says nothing.</summary>
    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers switch
    {
        { RetryAfter.Delta: { } wait } => wait,
        { RetryAfter.Date: { } until, Date: { } now } when until > now => until - now,
        _ => null,
    };

    /// <summary>The first error of an OCI error body, or nothing where there is none.</summary>
    private static (string? Code, string Words) WordsOf(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            using var document = JsonDocument.ParseValue(ref reader);
            var error = document.RootElement.GetProperty("errors")[0];
            var message = error.TryGetProperty("message", out var text) ? text.GetString() : null;
            // Other mirrors say there what their own upstream said.
            var detail = error.TryGetProperty("detail", out var more) && more.ValueKind == JsonValueKind.String ? $", {more.GetString()}" : null;
            var code = error.GetProperty("code").GetString();
            return (code, $" ({code}: {message}{detail})");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException)
        {
            return (null, "");
        }
    }
}
