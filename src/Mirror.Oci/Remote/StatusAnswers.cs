using System.Net;
using System.Text.Json;

namespace Mirror.Oci.Remote;

/// <summary>The one table from a remote registry's status to what it means.</summary>
internal static class StatusAnswers
{
    private const int MaxWords = 300;

    /// <param name="response">An answer whose status is not a success.</param>
    /// <param name="server">Who answered, for messages.</param>
    /// <param name="body">The beginning of its body.</param>
    public static RemoteFailure FailureOf(HttpResponseMessage response, string server, ReadOnlySpan<byte> body)
    {
        var why = $"{server} answered {(int)response.StatusCode}{WordsOf(body)}";
        return response.StatusCode switch
        {
            HttpStatusCode.NotFound => new RemoteFailure.Missing(why),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new RemoteFailure.Denied(why),
            HttpStatusCode.TooManyRequests => new RemoteFailure.Throttled(RetryAfter(response), why),
            HttpStatusCode.NotImplemented => new RemoteFailure.Unavailable(UnavailableReason.Unsupported, why),
            HttpStatusCode.RequestTimeout => new RemoteFailure.Unavailable(UnavailableReason.Timeout, why),
            >= HttpStatusCode.InternalServerError => new RemoteFailure.Unavailable(UnavailableReason.ServerError, why),
            >= HttpStatusCode.BadRequest => new RemoteFailure.Unavailable(UnavailableReason.Unsupported, why),
            _ => new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, why),
        };
    }

    /// <summary>Seconds only: a date would need both clocks to agree.</summary>
    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter?.Delta;

    /// <summary>The first error of an OCI error body, made safe to log and to show.</summary>
    private static string WordsOf(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            using var document = JsonDocument.ParseValue(ref reader);
            var error = document.RootElement.GetProperty("errors")[0];
            var words = $"{error.GetProperty("code").GetString()}: {error.GetProperty("message").GetString()}";
            var safe = string.Concat(words.Take(MaxWords).Select(c => char.IsControl(c) ? ' ' : c));
            return $" ({safe})";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException)
        {
            return "";
        }
    }
}
