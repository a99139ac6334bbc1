using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;

namespace Mirror.Registry;

/// <summary>
/// The address by which a client knows this registry: the configured one, or else what the client's request says, as trusted proxies have it.
/// </summary>
/// <param name="configured">Null where there is none.</param>
internal sealed class PublicAddress(Uri? configured)
{
    /// <summary>The address, absolute, whose path ends with a slash.</summary>
    public Uri BaseOf(HttpContext http)
    {
        if (configured is not null)
        {
            return new Uri($"{configured.AbsoluteUri.TrimEnd('/')}/");
        }

        var (scheme, path) = (http.Request.Scheme, $"{http.Request.PathBase.ToUriComponent()}/");
        return Uri.TryCreate($"{scheme}://{http.Request.Host.ToUriComponent()}{path}", UriKind.Absolute, out var asked) && asked.UserInfo.Length == 0
            ? asked
            // HTTP/1.0 need not say the host.
            : new Uri($"{scheme}://{EndPointOf(http.Connection)}{path}");
    }

    /// <summary>
    /// What stands before a path of ours where an answer leads on to it: nothing, the prefix that a proxy takes away, or the configured address.
    /// </summary>
    /// <param name="http">Whose answer it is.</param>
    /// <param name="isElsewhere">Whether the path would mean something else at the configured address.</param>
    public string BeginningFor(HttpContext http, bool isElsewhere) =>
        configured is null || isElsewhere ? http.Request.PathBase.ToUriComponent() : configured.AbsoluteUri.TrimEnd('/');

    private static string EndPointOf(ConnectionInfo connection) =>
        connection.LocalIpAddress is { } address
            ? new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, connection.LocalPort).ToString()
            : string.Create(CultureInfo.InvariantCulture, $"localhost:{connection.LocalPort}");
}
