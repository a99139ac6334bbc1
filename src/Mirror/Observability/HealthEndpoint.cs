using Microsoft.AspNetCore.Http;
using Mirror.Storage;

namespace Mirror.Observability;

/// <summary>
/// <c>/healthz</c>: the process answers. <c>/readyz</c>: it can serve what it has. Upstreams play no part: a mirror whose upstream is down is
/// at its most useful.
/// </summary>
internal sealed class HealthEndpoint(Metadata metadata)
{
    public static Task HealthAsync(HttpContext http) => WriteAsync(http, StatusCodes.Status200OK, "ok\n");

    public Task ReadyAsync(HttpContext http) => metadata.FindFault() is { } fault
        ? WriteAsync(http, StatusCodes.Status503ServiceUnavailable, $"store: {fault}\n")
        : WriteAsync(http, StatusCodes.Status200OK, "store: ok\n");

    private static Task WriteAsync(HttpContext http, int status, string text)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain";
        return http.Response.WriteAsync(text, http.RequestAborted);
    }
}
