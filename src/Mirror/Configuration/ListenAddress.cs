using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mirror.Configuration;

/// <summary>
/// Where the server listens: <c>127.0.0.1:5000</c>, <c>[::1]:5000</c>, <c>localhost:5000</c>, <c>*:5000</c>. Port 0 asks for a free one.
/// </summary>
public readonly record struct ListenAddress
{
    private const string Localhost = "localhost";

    private const string Everywhere = "*";

    private readonly string? _host;

    private ListenAddress(string host, IPAddress? address, int port) => (_host, Address, Port) = (host, address, port);

    /// <summary>Null for <c>localhost</c> and <c>*</c>, which are an IPv4 and an IPv6 address each.</summary>
    public IPAddress? Address { get; }

    public int Port { get; }

    private string Host => _host ?? throw new InvalidOperationException("A listen address was used before it was parsed.");

    public static bool TryParse(ReadOnlySpan<char> text, out ListenAddress address)
    {
        address = default;
        var colon = text.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            || port > IPEndPoint.MaxPort)
        {
            return false;
        }

        var host = text[..colon];
        if (host is Localhost or Everywhere)
        {
            address = new ListenAddress(host.ToString(), null, port);
            return true;
        }

        var bracketed = host is ['[', .., ']'];
        if (!IPAddress.TryParse(bracketed ? host[1..^1] : host, out var ip))
        {
            return false;
        }

        var canonical = bracketed ? $"[{ip}]" : ip.ToString();
        address = new ListenAddress(canonical, ip, port);
        // "1" and "0x7f.1" are addresses to the parser, but hardly what was meant; IPv6 without brackets is ambiguous.
        return bracketed == host.Contains(':') && (bracketed || host.SequenceEqual(canonical));
    }

    /// <exception cref="FormatException">The text is not such an address.</exception>
    public static ListenAddress Parse(string text) =>
        TryParse(text, out var address) ? address : throw new FormatException($"'{text}' is not a listen address.");

    /// <summary>Whether only this machine can come here.</summary>
    public bool IsThisMachines => Host == Localhost || (Address is not null && IPAddress.IsLoopback(Address));

    /// <summary>Whether an address surely leads here. Other machines' names, and this one's, are not looked up.</summary>
    public bool IsReachedBy(Uri url)
    {
        if (url.Port != Port)
        {
            return false;
        }

        var isName = !IPAddress.TryParse(url.Host.Trim('[', ']'), out var ip);
        var isLocalhost = isName && url.Host.Equals(Localhost, StringComparison.OrdinalIgnoreCase);
        return Address is null || Address.Equals(IPAddress.Any) || Address.Equals(IPAddress.IPv6Any) ? isLocalhost || (ip is not null && IPAddress.IsLoopback(ip))
            : Address.Equals(ip) || (isLocalhost && (Address.Equals(IPAddress.Loopback) || Address.Equals(IPAddress.IPv6Loopback)));
    }

    /// <summary>Where a program on this machine reaches what listens here.</summary>
    public Uri UrlFromHere(bool isEncrypted)
    {
        var host = Address is null ? Localhost
            : Address.Equals(IPAddress.Any) ? $"{IPAddress.Loopback}"
            : Address.Equals(IPAddress.IPv6Any) ? $"[{IPAddress.IPv6Loopback}]"
            : Host;
        return new Uri($"{(isEncrypted ? Uri.UriSchemeHttps : Uri.UriSchemeHttp)}://{host}:{Port}");
    }

    /// <summary>Has Kestrel listen here.</summary>
    public void AddTo(KestrelServerOptions server, Action<ListenOptions> configure)
    {
        if (Address is not null)
        {
            server.Listen(Address, Port, configure);
        }
        else if (Host == Everywhere)
        {
            server.ListenAnyIP(Port, configure);
        }
        else if (Port == 0)
        {
            // The two addresses of localhost could not agree on a free port; Kestrel refuses.
            server.Listen(IPAddress.Loopback, Port, configure);
        }
        else
        {
            server.ListenLocalhost(Port, configure);
        }
    }

    public override string ToString() => $"{Host}:{Port}";
}
