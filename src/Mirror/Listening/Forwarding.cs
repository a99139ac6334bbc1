using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using IPNetwork = System.Net.IPNetwork;

namespace Mirror.Listening;

/// <summary>
/// What proxies say of a client, and of the address that it has come to, put in the place of their own: whoever answers a request need not know
/// that there are proxies. Of several, each is believed only if the one behind it is trusted.
/// </summary>
internal static class Forwarding
{
    /// <param name="web">Where requests come from.</param>
    /// <param name="trusted">The proxies; where there are none, nobody is believed.</param>
    public static void AddTo(IApplicationBuilder web, IReadOnlyList<IPNetwork> trusted)
    {
        // To the middleware, no networks would mean all.
        if (trusted.Count > 0)
        {
            web.UseForwardedHeaders(OptionsOf(trusted));
        }

        web.Use(next => http =>
        {
            Clean(http);
            return next(http);
        });
    }

    private static ForwardedHeadersOptions OptionsOf(IReadOnlyList<IPNetwork> trusted)
    {
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.All, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in trusted)
        {
            options.KnownIPNetworks.Add(network);
        }

        return options;
    }

    /// <summary>
    /// An address that listens for both kinds gives an IPv4 client one of IPv6. A prefix is the beginning of a path that clients are led to: one that
    /// begins with two slashes would be another host.
    /// </summary>
    private static void Clean(HttpContext http)
    {
        if (http.Connection.RemoteIpAddress is { IsIPv4MappedToIPv6: true } mapped)
        {
            http.Connection.RemoteIpAddress = mapped.MapToIPv4();
        }

        if (http.Request.PathBase.HasValue)
        {
            var prefix = http.Request.PathBase.Value.TrimEnd('/');
            http.Request.PathBase = prefix.Contains("//", StringComparison.Ordinal) ? PathString.Empty : new PathString(prefix);
        }
    }
}
