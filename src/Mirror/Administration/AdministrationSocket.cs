using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Win32.SafeHandles;
using Mirror.Storage;

namespace Mirror.Administration;

/// <summary>
/// The Unix socket over which the internal API is spoken: a file that only its owner can open. Whoever binds it holds the store's lock, so
/// one that is there already was left by a process that is gone.
/// </summary>
internal sealed class AdministrationSocket : IDisposable
{
    /// <summary>In bytes: the shortest of the limits that systems have (Linux takes 107).</summary>
    private const int MaxPathLength = 103;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Socket _socket;

    private AdministrationSocket(string path, Socket socket) => (Path, _socket) = (path, socket);

    public string Path { get; }

    /// <summary>
    /// Where the socket of a data directory is: in it, or, where that path is too long for a socket's, in the user's runtime directory under
    /// a name that is derived from it.
    /// </summary>
    /// <exception cref="IOException">There is no place for it.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public static string Locate(string dataPath)
    {
        var layout = new StoreLayout(dataPath);
        if (Fits(layout.Socket))
        {
            return layout.Socket;
        }

        var name = $"mirror-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(layout.Root)).AsSpan(0, 12))}.sock";
        // Below /run only root can make folders: nobody can have made this one for it.
        var parent = Environment.IsPrivilegedProcess && Directory.Exists("/run") ? "/run" : System.IO.Path.GetTempPath();
        var folder = FindRuntimeFolder() ?? PrivateFolder(parent);
        var path = System.IO.Path.Combine(folder, name);
        return Fits(path)
            ? path
            : throw new IOException($"the path {path} is too long for a socket's: set XDG_RUNTIME_DIR to a shorter one");
    }

    /// <summary>Makes the socket. It is its owner's alone from the moment that its file exists.</summary>
    /// <exception cref="IOException">It can not be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    /// <exception cref="SocketException">The same.</exception>
    public static AdministrationSocket Bind(string dataPath)
    {
        var path = Locate(dataPath);
        File.Delete(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (OperatingSystem.IsLinux())
            {
                // The file takes its mode from the socket that is bound to it.
                using var handle = new SafeFileHandle(socket.Handle, ownsHandle: false);
                File.SetUnixFileMode(handle, OwnerOnly);
            }

            socket.Bind(new UnixDomainSocketEndPoint(path));
            if (OperatingSystem.IsMacOS())
            {
                File.SetUnixFileMode(path, OwnerOnly);
            }

            return new AdministrationSocket(path, socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Has Kestrel listen on it, and mark what comes from there.</summary>
    public void AddTo(IWebHostBuilder builder, Action<ListenOptions> configure)
    {
        builder.UseSockets(transport => transport.CreateBoundListenSocket = endpoint =>
            endpoint is UnixDomainSocketEndPoint ? _socket : SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint));
        builder.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Path, listen =>
        {
            configure(listen);
            listen.Use(next => connection =>
            {
                connection.Features.Set(this);
                return next(connection);
            });
        }));
    }

    public void Dispose()
    {
        _socket.Dispose();
        File.Delete(Path);
    }

    private static bool Fits(string path) => Encoding.UTF8.GetByteCount(path) <= MaxPathLength;

    private static string? FindRuntimeFolder() =>
        Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } folder && Directory.Exists(folder)
            ? System.IO.Path.GetFullPath(folder)
            : null;

    /// <summary>A folder that nobody else can enter, below one where others may make folders too.</summary>
    /// <exception cref="IOException">Somebody else can enter it.</exception>
    internal static string PrivateFolder(string parent)
    {
        var folder = System.IO.Path.Combine(parent, $"mirror-{Environment.UserName}");
        if (OperatingSystem.IsWindows())
        {
            return Directory.CreateDirectory(folder).FullName;
        }

        const UnixFileMode Private = OwnerOnly | UnixFileMode.UserExecute;
        var made = Directory.CreateDirectory(folder, Private);
        return made.LinkTarget is null && made.UnixFileMode == Private
            ? folder
            : throw new IOException($"the folder {folder} is not its user's alone: remove it");
    }
}
