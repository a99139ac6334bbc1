using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Mirror.Bench.Clients;

/// <summary>
/// Many connections that each ask the same small question again and again, on one thread: the client should cost less than any
/// server, and it does nothing but count whole answers.
/// </summary>
internal sealed partial class RequestClient : IDisposable
{
    private const short Readable = 1;    // POLLIN

    private readonly byte[] _request;
    private readonly bool _head;
    private readonly Connection[] _connections;
    private readonly PollEntry[] _polled;

    private RequestClient(IPEndPoint server, string method, string path, int connections)
    {
        _request = Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: bench\r\nAccept: {Image.ManifestType}\r\n\r\n");
        _head = method == "HEAD";
        _connections = [.. Enumerable.Range(0, connections).Select(_ => new Connection(server))];
        _polled = [.. _connections.Select(connection => new PollEntry { Descriptor = connection.Descriptor, Events = Readable })];
    }

    /// <returns>Whole answers, and the seconds they took.</returns>
    public static (long Answers, double Seconds) Ask(
        IPEndPoint server, string method, string path, int connections, TimeSpan duration, CancellationToken stopping)
    {
        using var client = new RequestClient(server, method, path, connections);
        return client.Run(duration, stopping);
    }

    public void Dispose()
    {
        foreach (var connection in _connections)
        {
            connection.Socket.Dispose();
        }
    }

    private (long Answers, double Seconds) Run(TimeSpan duration, CancellationToken stopping)
    {
        var answers = 0L;
        var started = Stopwatch.GetTimestamp();
        foreach (var connection in _connections)
        {
            Ask(connection);
        }

        while (Stopwatch.GetElapsedTime(started) < duration)
        {
            stopping.ThrowIfCancellationRequested();
            _ = Poll(_polled, (nuint)_polled.Length, timeout: 1000);
            for (var i = 0; i < _polled.Length; i++)
            {
                if (_polled[i].Happened == 0)
                {
                    continue;
                }

                var connection = _connections[i];
                if (Receive(connection))
                {
                    answers++;
                    Ask(connection);
                }
            }
        }

        return (answers, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    private unsafe void Ask(Connection connection)
    {
        connection.Filled = 0;
        fixed (byte* request = _request)
        {
            if (Send(connection.Descriptor, request, (nuint)_request.Length, 0) != _request.Length)
            {
                throw new InvalidDataException("The request could not be sent.");
            }
        }
    }

    /// <returns>Whether the answer is complete.</returns>
    private unsafe bool Receive(Connection connection)
    {
        nint read;
        fixed (byte* buffer = connection.Buffer)
        {
            read = Receive(connection.Descriptor, buffer + connection.Filled, (nuint)(connection.Buffer.Length - connection.Filled), 0);
        }

        if (read <= 0)
        {
            throw new InvalidDataException("The connection was closed.");
        }

        connection.Filled += (int)read;
        var received = connection.Buffer.AsSpan(0, connection.Filled);
        if (!ResponseHead.TryRead(received, out var head))
        {
            return false;
        }

        if (head.Status != 200)
        {
            throw new InvalidDataException(Encoding.ASCII.GetString(received));
        }

        return received.Length >= head.Length + (_head ? 0 : head.ContentLength ?? throw new InvalidDataException("An answer has no Content-Length."));
    }

    [LibraryImport("libc", EntryPoint = "poll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Poll([In, Out] PollEntry[] entries, nuint length, int timeout);

    [LibraryImport("libc", EntryPoint = "send")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial nint Send(int socket, byte* content, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial nint Receive(int socket, byte* buffer, nuint length, int flags);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }

    private sealed class Connection
    {
        public Connection(IPEndPoint server)
        {
            Socket.Connect(server);
            Descriptor = (int)Socket.Handle;
        }

        public Socket Socket { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        public int Descriptor { get; }

        public byte[] Buffer { get; } = new byte[64 * 1024];

        public int Filled { get; set; }
    }
}
