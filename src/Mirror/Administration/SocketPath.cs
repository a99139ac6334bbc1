using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Administration;

/// <summary>
/// How a socket's file is named to the system, which takes no long names. On Linux a long one leads through its folder, which is open as
/// long as this is: so the socket is where it belongs, however long the path.
/// </summary>
internal sealed partial class SocketPath : IDisposable
{
    /// <summary>In bytes: the shortest of the limits that systems have (Linux takes 107).</summary>
    private const int MaxPathLength = 103;

    /// <summary>O_PATH and O_CLOEXEC: nothing is read, and no child process gets it.</summary>
    private const int PathOnly = 0x280000;

    /// <summary>EACCES.</summary>
    private const int AccessDenied = 13;

    private readonly SafeFileHandle? _folder;

    private SocketPath(string path, SafeFileHandle? folder) => (Value, _folder) = (path, folder);

    /// <summary>Good for as long as this is not disposed.</summary>
    public string Value { get; }

    public UnixDomainSocketEndPoint EndPoint => new(Value);

    /// <exception cref="IOException">The path is too long for this system, or its folder is not there.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not for this user.</exception>
    public static SocketPath Of(string path)
    {
        if (Encoding.UTF8.GetByteCount(path) <= MaxPathLength)
        {
            return new SocketPath(path, folder: null);
        }

        if (!OperatingSystem.IsLinux())
        {
            throw new IOException($"the path {path} is too long for a socket's: {MaxPathLength} bytes at most");
        }

        var descriptor = Open(Path.GetDirectoryName(path)!, PathOnly);
        if (descriptor < 0)
        {
            var why = new Win32Exception(Marshal.GetLastPInvokeError());
            throw why.NativeErrorCode == AccessDenied
                ? new UnauthorizedAccessException(why.Message)
                : new IOException($"{Path.GetDirectoryName(path)}: {why.Message}");
        }

        return new SocketPath(
            $"/proc/self/fd/{descriptor}/{Path.GetFileName(path)}", new SafeFileHandle(descriptor, ownsHandle: true));
    }

    public void Dispose() => _folder?.Dispose();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);
}
