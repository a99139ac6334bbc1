using System.Net;
using System.Net.Sockets;

namespace Mirror.Testing;

/// <summary>For programs that can not choose a port themselves, and for addresses where nobody is to be.</summary>
public static class FreePort
{
    /// <summary>A port of 127.0.0.1 where nobody listens.</summary>
    public static int Find()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
