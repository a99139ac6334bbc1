using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Mirror.Administration;

/// <summary>Who is at the other end of a Unix socket.</summary>
internal static partial class SocketPeer
{
    private const uint Root = 0;

    // SOL_SOCKET and SO_PEERCRED, which gives the process, the user and the group, four bytes each.
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;

    /// <summary>Whether whoever listens there is to be believed. Only Linux is asked: elsewhere the socket's mode is all.</summary>
    public static bool IsTrusted(Socket socket)
    {
        if (!OperatingSystem.IsLinux())
        {
            return true;
        }

        Span<byte> credentials = stackalloc byte[12];
        var length = socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        return length == credentials.Length && IsTrusted(MemoryMarshal.Read<uint>(credentials[4..]), EffectiveUser());
    }

    /// <summary>Whether <paramref name="self"/> believes <paramref name="peer"/>: its own processes; root any.</summary>
    internal static bool IsTrusted(uint peer, uint self) => peer == self || self == Root;

    [LibraryImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint EffectiveUser();
}
