using System.Net;
using System.Net.Sockets;

namespace Mirror.Oci.Remote;

/// <summary>Connections for one registry: no cookies, no redirects, no decompression behind our back, and every address checked at connect.</summary>
internal static class Transport
{
    private static readonly OutboundProxy Environmental = new(HttpClient.DefaultProxy);

    public static HttpMessageInvoker Create(RemoteRegistryOptions options)
    {
        var outbound = options.Proxy is { } proxy ? new OutboundProxy(new WebProxy(proxy)) : Environmental;
        // Where there is a client certificate, what the registry leads to gets no connection that could show it.
        var origin = HandlerOf(options, outbound);
        var elsewhere = options.ClientCertificate is null ? origin : HandlerOf(options with { ClientCertificate = null }, outbound);
        return new HttpMessageInvoker(new RegistryHandler(options, outbound, origin, elsewhere));
    }

    /// <summary>Whether <paramref name="target"/> is the registry itself: the same scheme, host and port.</summary>
    public static bool IsOrigin(RemoteRegistryOptions options, Uri target) =>
        target.Scheme == options.Url.Scheme && SameHost(target, options.Url) && target.Port == options.Url.Port;

    public static bool SameHost(Uri one, Uri other) => one.IdnHost.Equals(other.IdnHost, StringComparison.OrdinalIgnoreCase);

    /// <summary>What goes through a proxy has no address here; one that is written out is checked all the same.</summary>
    /// <exception cref="HttpRequestException">It is forbidden.</exception>
    public static async Task CheckProxiedAsync(
        RemoteRegistryOptions options, OutboundProxy outbound, Uri asked, CancellationToken cancellationToken)
    {
        if (IsTrusted(options, asked) || outbound.GetProxy(asked) is null || !IPAddress.TryParse(asked.IdnHost, out var literal))
        {
            return;
        }

        try
        {
            await WithoutForbiddenAsync(options, asked, [literal], cancellationToken);
        }
        catch (Exception e) when (e is ForbiddenAddressException or SocketException)
        {
            throw new HttpRequestException(e.Message, e);
        }
    }

    private static SocketsHttpHandler HandlerOf(RemoteRegistryOptions options, OutboundProxy outbound) => new()
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        Proxy = outbound,
        SslOptions = ServerTrust.OptionsOf(options),
        ConnectTimeout = options.ConnectTimeout,
#pragma warning disable CA2262 // 256 KB: some object stores answer with far more than the framework's 64.
        MaxResponseHeadersLength = 256,
#pragma warning restore CA2262
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),     // so that a changed DNS entry is seen
        MaxResponseDrainSize = 64 * 1024,                       // a blob that nobody wants any more is not read to its end
        ConnectCallback = (context, cancellationToken) => ConnectAsync(options, outbound, context, cancellationToken),
    };

    private static async ValueTask<Stream> ConnectAsync(
        RemoteRegistryOptions options, OutboundProxy outbound, SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var target = context.DnsEndPoint;
        var addresses = await Dns.GetHostAddressesAsync(target.Host, cancellationToken);
        var asked = context.InitialRequestMessage.RequestUri!;
        var isProxy = outbound.GetProxy(asked) is { } proxy && Is(target, proxy);
        if (!isProxy && !IsTrusted(options, asked))
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

/// <summary>
/// Sends what is for the registry itself one way, and everything else another. A proxy's connections are used again for other addresses, so
/// what goes through one is checked with each request and not only at connect.
/// </summary>
internal sealed class RegistryHandler(
    RemoteRegistryOptions options, OutboundProxy outbound, HttpMessageHandler origin, HttpMessageHandler elsewhere) : HttpMessageHandler
{
    private readonly HttpMessageInvoker _origin = new(origin);
    private readonly HttpMessageInvoker _elsewhere = new(elsewhere);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        await Transport.CheckProxiedAsync(options, outbound, request.RequestUri!, cancellationToken);
        return await (Transport.IsOrigin(options, request.RequestUri!) ? _origin : _elsewhere).SendAsync(request, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _origin.Dispose();
            _elsewhere.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>An answer led to an address that <see cref="AddressPolicy"/> forbids.</summary>
internal sealed class ForbiddenAddressException(string message) : Exception(message);
