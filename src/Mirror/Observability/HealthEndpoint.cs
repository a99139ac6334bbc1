using Microsoft.AspNetCore.Http;
using Mirror.Storage;

namespace Mirror.Observability;

/// <summary>
/// <c>/healthz</c>: the process answers. <c>/readyz</c>: it can be pulled from, and what its store can not do. Upstreams play no part: a mirror whose
/// upstream is down is at its most useful. Nor does trouble with the store: pulls go on without it, and would fail if clients were led elsewhere.
/// </summary>
internal sealed class HealthEndpoint(Metadata metadata, StoreTrouble trouble, Func<string?> findCertificateTrouble)
{
    public static Task HealthAsync(HttpContext http) => WriteAsync(http, "ok\n");

    public Task ReadyAsync(HttpContext http)
    {
        if (metadata.FindFault() is { } fault)
        {
            trouble.Met(StorePart.ReadingDatabase, fault);
        }
        else
        {
            trouble.Over(StorePart.ReadingDatabase);
        }

        var lines = trouble.Describe();
        var store = lines.Count == 0 ? "store: ok\n" : string.Concat(lines.Select(line => $"store: {line}\n"));
        return WriteAsync(http, findCertificateTrouble() is { } certificate ? $"{store}tls: {certificate}\n" : store);
    }

    private static Task WriteAsync(HttpContext http, string text)
    {
        http.Response.ContentType = "text/plain";
        return http.Response.WriteAsync(text, http.RequestAborted);
    }
}
