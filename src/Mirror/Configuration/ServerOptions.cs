using System.Net;
using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

public sealed record ServerOptions
{
    private static readonly ServerOptions Defaults = new();

    /// <summary>At least one.</summary>
    public IReadOnlyList<ListenAddress> Listen { get; init; } = [ListenAddress.Parse("127.0.0.1:5000")];

    /// <summary>What clients know Mirror by, with a path where something before Mirror takes that away; null where what they come to is right.</summary>
    public Uri? PublicUrl { get; init; }

    /// <summary>Proxies before Mirror: what they say of the client, and of the address that it has come to, is believed.</summary>
    public IReadOnlyList<IPNetwork> TrustedProxies { get; init; } = [];

    /// <summary>Null where clients speak plain HTTP.</summary>
    public TlsOptions? Tls { get; init; }

    /// <summary>Not in the file: nobody needs others.</summary>
    public ServerLimits Limits { get; init; } = new();

    internal static ServerOptions Read(ConfigurationSection section) => new()
    {
        Listen = section.ReadList(
            "listen",
            Kinds.ListenAddress,
            Defaults.Listen,
            "The address to listen on, or a list of them: host:port, where the host is an IP address (IPv6 in brackets), localhost, or * "
            + "for every address. Quote what begins with * or [.",
            atLeast: 1),
        PublicUrl = section.Find(
            "publicUrl",
            Kinds.PublicUrl,
            "The address that clients know Mirror by, if something before it changes host, scheme or path: answers lead on to that. A path is what a proxy "
            + "before Mirror takes away. Without it they lead to the same host, as a path."),
        TrustedProxies = section.ReadList(
            "trustedProxies",
            Kinds.Network,
            Defaults.TrustedProxies,
            "Networks of proxies whose X-Forwarded-For, -Proto, -Host and -Prefix count, such as 10.0.0.0/8. Nobody's, if this is missing."),
        Tls = section.ReadSection("tls", TlsOptions.Read, "The certificate with which every address speaks HTTPS. Plain HTTP, if this is missing."),
    };
}
