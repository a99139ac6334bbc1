using System.Net;
using System.Net.Sockets;

namespace Mirror.Oci.Remote;

/// <summary>How far from the public network an address is.</summary>
internal enum AddressZone
{
    Public,
    Private,
    LinkLocal,
    Loopback,
}

/// <summary>
/// Where a registry's answers may lead us: anywhere public, and otherwise only to the kind of network that the registry itself is on. A
/// public registry can so not make us ask a metadata service or the machine's own ports.
/// </summary>
internal static class AddressPolicy
{
    private static readonly IPNetwork[] Private =
    [
        IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.168.0.0/16"), IPNetwork.Parse("100.64.0.0/10"),
        IPNetwork.Parse("192.0.0.0/24"), IPNetwork.Parse("198.18.0.0/15"), IPNetwork.Parse("224.0.0.0/4"), IPNetwork.Parse("240.0.0.0/4"),
        IPNetwork.Parse("fc00::/7"), IPNetwork.Parse("fec0::/10"), IPNetwork.Parse("ff00::/8"),
    ];

    // NAT64 and 6to4 carry an IPv4 address inside, which is where the packets end up.
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");

    public static bool MayLead(AddressZone registry, AddressZone target) =>
        target == AddressZone.Public || target == registry || (target == AddressZone.Private && registry == AddressZone.Loopback);

    public static AddressZone ZoneOf(IPAddress address)
    {
        address = Unwrap(address);
        var unspecified = address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || address.GetAddressBytes() is [0, _, _, _];
        if (IPAddress.IsLoopback(address) || unspecified)
        {
            return AddressZone.Loopback;
        }

        if (address.IsIPv6LinkLocal || address.GetAddressBytes() is [169, 254, _, _])
        {
            return AddressZone.LinkLocal;
        }

        return Array.Exists(Private, network => network.Contains(address)) ? AddressZone.Private : AddressZone.Public;
    }

    private static IPAddress Unwrap(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }

        var bytes = address.GetAddressBytes();
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4()
            : Nat64.Contains(address) ? new IPAddress(bytes.AsSpan(12, 4))
            : SixToFour.Contains(address) ? new IPAddress(bytes.AsSpan(2, 4))
            : address;
    }
}
