using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>An address of this machine that is not loopback: Docker insists on certificates only for others than that.</summary>
internal static class OwnAddress
{
    /// <summary>Null where there is none.</summary>
    public static IPAddress? Find() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(network => network.OperationalStatus == OperationalStatus.Up)
        .SelectMany(network => network.GetIPProperties().UnicastAddresses)
        .Select(unicast => unicast.Address)
        .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
}
