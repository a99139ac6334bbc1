using System.Net.Sockets;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Win32.SafeHandles;
using Mirror.Storage;

namespace Mirror.Administration;

/// <summary>
/// The Unix socket over which the internal API is spoken: a file in the data directory that only its owner can open. Whoever binds it holds
/// the store's lock, so one that is there already was left by a process that is gone.
/// </summary>
internal sealed class AdministrationSocket : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly SocketPath _address;
    private readonly Socket _socket;

    private AdministrationSocket(string path, SocketPath address, Socket socket) => (Path, _address, _socket) = (path, address, socket);

    public string Path { get; }

    /// <summary>Where the socket of a data directory is.</summary>
    public static string Locate(string dataPath) => new StoreLayout(dataPath).Socket;

    /// <summary>Makes the socket. It is its owner's alone from the moment that its file exists.</summary>
    /// <exception cref="IOException">It can not be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    /// <exception cref="SocketException">The same.</exception>
    public static AdministrationSocket Bind(string dataPath)
    {
        var path = Locate(dataPath);
        File.Delete(path);
        var address = SocketPath.Of(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (OperatingSystem.IsLinux())
            {
                // The file takes its mode from the socket that is bound to it.
                using var handle = new SafeFileHandle(socket.Handle, ownsHandle: false);
                File.SetUnixFileMode(handle, OwnerOnly);
            }

            socket.Bind(address.EndPoint);
            if (OperatingSystem.IsMacOS())
            {
                File.SetUnixFileMode(path, OwnerOnly);
            }

            return new AdministrationSocket(path, address, socket);
        }
        catch
        {
            socket.Dispose();
            address.Dispose();
            throw;
        }
    }

    /// <summary>Connects to who has made the socket there.</summary>
    /// <exception cref="UnauthorizedAccessException">It is another user's.</exception>
    /// <exception cref="IOException">Nobody listens there.</exception>
    /// <exception cref="SocketException">The same.</exception>
    public static async Task<Stream> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        using var address = SocketPath.Of(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(address.EndPoint, cancellationToken);
            // Who can write into the data directory could have put a socket of its own there, and would be believed.
            return SocketPeer.IsTrusted(socket)
                ? new NetworkStream(socket, ownsSocket: true)
                : throw new UnauthorizedAccessException();
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
        builder.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(_address.Value, listen =>
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
        _address.Dispose();
        File.Delete(Path);
    }
}
