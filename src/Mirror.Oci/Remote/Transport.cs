using System.Net;
using System.Net.Sockets;

namespace Mirror.Oci.Remote;

/// <summary>Connections for one registry: no cookies, no redirects, no decompression behind our back, and every address checked at connect.</summary>
internal static class Transport
{
    private static readonly OutboundProxy Outbound = new(HttpClient.DefaultProxy);

    public static HttpMessageInvoker Create(RemoteRegistryOptions options) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        Proxy = Outbound,
        ConnectTimeout = options.ConnectTimeout,
#pragma warning disable CA2262 // 256 KB: some object stores answer with far more than the framework's 64.
        MaxResponseHeadersLength = 256,
#pragma warning restore CA2262
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),     // so that a changed DNS entry is seen
        MaxResponseDrainSize = 64 * 1024,                       // a blob that nobody wants any more is not read to its end
        ConnectCallback = (context, cancellationToken) => ConnectAsync(options, context, cancellationToken),
    });

    /// <summary>Whether <paramref name="target"/> is the registry itself: the same scheme, host and port.</summary>
    public static bool IsOrigin(RemoteRegistryOptions options, Uri target) =>
        target.Scheme == options.Url.Scheme && SameHost(target, options.Url) && target.Port == options.Url.Port;

    public static bool SameHost(Uri one, Uri other) => one.IdnHost.Equals(other.IdnHost, StringComparison.OrdinalIgnoreCase);

    private static async ValueTask<Stream> ConnectAsync(
        RemoteRegistryOptions options, SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var target = context.DnsEndPoint;
        var addresses = await Dns.GetHostAddressesAsync(target.Host, cancellationToken);
        var asked = context.InitialRequestMessage.RequestUri!;
        if (Outbound.GetProxy(asked) is { } proxy && Is(target, proxy))
        {
            // The proxy resolves names; an address that is written out can still be checked here.
            if (!IsTrusted(options, asked) && IPAddress.TryParse(asked.IdnHost, out var literal))
            {
                await WithoutForbiddenAsync(options, asked, [literal], cancellationToken);
            }
        }
        else if (!IsTrusted(options, asked))
        {
            addresses = await WithoutForbiddenAsync(options, asked, addresses, cancellationToken);
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, target.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The registry itself, and a realm that the operator named, may be anywhere.</summary>
    private static bool IsTrusted(RemoteRegistryOptions options, Uri asked) =>
        (SameHost(asked, options.Url) && asked.Port == options.Url.Port) || Realm.IsNamed(options, asked);

    private static bool Is(DnsEndPoint target, Uri uri) =>
        target.Host.Trim('[', ']').Equals(uri.IdnHost.Trim('[', ']'), StringComparison.OrdinalIgnoreCase) && target.Port == uri.Port;

    private static async Task<IPAddress[]> WithoutForbiddenAsync(
        RemoteRegistryOptions options, Uri asked, IPAddress[] addresses, CancellationToken cancellationToken)
    {
        var registry = await Dns.GetHostAddressesAsync(options.Url.IdnHost, cancellationToken);
        var allowed = Array.FindAll(
            addresses,
            address => Array.Exists(registry, r => AddressPolicy.MayLead(AddressPolicy.ZoneOf(r), AddressPolicy.ZoneOf(address))));
        return allowed.Length > 0 ? allowed : throw new ForbiddenAddressException(
            $"it leads to {asked.IdnHost}, which is on a private network where {options.Name} itself is not");
    }
}

/// <summary>An answer led to an address that <see cref="AddressPolicy"/> forbids.</summary>
internal sealed class ForbiddenAddressException(string message) : Exception(message);
