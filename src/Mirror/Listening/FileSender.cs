using System.Buffers;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Listening;

/// <summary>A part of a file.</summary>
/// <param name="File">Stays open until the part is sent.</param>
/// <param name="Offset">Where the part begins.</param>
/// <param name="Length">How long it is, in bytes.</param>
internal readonly record struct FilePart(SafeFileHandle File, long Offset, int Length);

/// <summary>
/// Sends parts of files out of the kernel's memory and not by way of this program's: <c>sendfile(2)</c>. <see cref="Socket.SendPacketsAsync"/> would do
/// that too, but where it fails it does not always say how much had left before.
/// </summary>
internal static partial class FileSender
{
    /// <summary>Where the kernel has no room, so much is sent by way of this program, as there is no other way to wait for room.</summary>
    private const int Step = 16 * 1024;

    // asm-generic/errno-base.h
    private const int Interrupted = 4;
    private const int NoRoom = 11;

    /// <summary>What Linux calls <c>off_t</c> is as wide as an address.</summary>
    private static readonly bool IsPossible = OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <param name="socket">One that other methods have sent or received by asynchronously before, and that nobody else sends by meanwhile.</param>
    /// <param name="part">What to send.</param>
    /// <returns>How much was sent. Less than the part where the file, its file system or the connection does not allow more.</returns>
    /// <exception cref="SocketException">The connection has ended.</exception>
    /// <exception cref="ObjectDisposedException">The connection has ended.</exception>
    public static async ValueTask<int> SendAsync(Socket socket, FilePart part)
    {
        var sent = 0;
        while (IsPossible && sent < part.Length)
        {
            var rest = new FilePart(part.File, part.Offset + sent, part.Length - sent);
            var length = SendNow(socket, rest, out var isFull);
            if (isFull)
            {
                length = await SendByHandAsync(socket, rest with { Length = Math.Min(rest.Length, Step) });
            }

            if (length <= 0)
            {
                break;
            }

            sent += length;
        }

        return sent;
    }

    /// <summary>Sends as much as the kernel has room for. Nothing or a negative number where that fails.</summary>
    private static int SendNow(Socket socket, FilePart part, out bool isFull)
    {
        nint length;
        int error;
        do
        {
            var offset = (nint)part.Offset;
            length = SendFile(socket.SafeHandle, part.File, ref offset, part.Length);
            error = length < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == Interrupted);

        isFull = error == NoRoom;
        return (int)length;
    }

    /// <summary>Waits until at least some of it has left.</summary>
    private static async ValueTask<int> SendByHandAsync(Socket socket, FilePart part)
    {
        using var memory = MemoryPool<byte>.Shared.Rent(part.Length);
        int length;
        try
        {
            length = RandomAccess.Read(part.File, memory.Memory.Span[..part.Length], part.Offset);
        }
        catch (IOException)
        {
            return 0;
        }

        return length == 0 ? 0 : await socket.SendAsync(memory.Memory[..length], SocketFlags.None);
    }

    [LibraryImport("libc", EntryPoint = "sendfile", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint SendFile(SafeHandle socket, SafeHandle file, ref nint offset, nint length);
}
