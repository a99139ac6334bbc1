using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Bench.Clients;

/// <param name="Seconds">From the first request to the last byte of the last client.</param>
/// <param name="FirstByte">Of the body, after the request, in milliseconds: of the client that waited least.</param>
/// <param name="Bytes">Of bodies, received by all.</param>
internal readonly record struct Pulled(double Seconds, double FirstByte, long Bytes);

/// <summary>
/// Clients that pull one blob, each on a thread and a connection of its own, with blocking reads: nothing is between the socket and the clock.
/// </summary>
internal static partial class BlobClient
{
    private const int BufferSize = 256 * 1024;
    private const int Truncate = 0x20;    // MSG_TRUNC, tcp(7)

    /// <summary>Pulls a blob <paramref name="times"/> times with each of some clients, which all begin at once.</summary>
    public static Pulled Pull(IPEndPoint server, string path, int clients, int times, CancellationToken stopping)
    {
        var sockets = Enumerable.Range(0, clients).Select(_ => Connect(server)).ToList();
        using var cancelling = stopping.Register(() => sockets.ForEach(socket => socket.Dispose()));
        try
        {
            using var go = new ManualResetEventSlim();
            var pulls = sockets.Select(socket => Task.Factory.StartNew(
                () =>
                {
                    go.Wait(stopping);
                    var (firstByte, bytes) = (double.MaxValue, 0L);
                    for (var i = 0; i < times; i++)
                    {
                        var pulled = PullOnce(socket, path, hash: null);
                        firstByte = Math.Min(firstByte, pulled.FirstByte);
                        bytes += pulled.Bytes;
                    }

                    return (FirstByte: firstByte, Bytes: bytes);
                },
                stopping,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)).ToArray();
            var started = Stopwatch.GetTimestamp();
            go.Set();
            Task.WaitAll(pulls, stopping);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            return new Pulled(seconds, pulls.Min(pull => pull.Result.FirstByte), pulls.Sum(pull => pull.Result.Bytes));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    /// <summary>Pulls once and checks what came.</summary>
    public static void Verify(IPEndPoint server, string path, string digest)
    {
        using var socket = Connect(server);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        PullOnce(socket, path, hash);
        var got = $"sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
        if (got != digest)
        {
            throw new InvalidDataException($"{server}{path} has the digest {got}, not {digest}.");
        }
    }

    private static Socket Connect(IPEndPoint server)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(server);
        return socket;
    }

    private static (double FirstByte, long Bytes) PullOnce(Socket socket, string path, IncrementalHash? hash)
    {
        // Not from a pool: a client's buffer is not shared.
        var buffer = new byte[BufferSize];
        var asked = Stopwatch.GetTimestamp();
        socket.Send(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n"));
        var filled = 0;
        ResponseHead head;
        while (!ResponseHead.TryRead(buffer.AsSpan(0, filled), out head))
        {
            filled += Receive(socket, buffer.AsSpan(filled));
        }

        if (head.Status != 200 || head.ContentLength is not { } length)
        {
            throw new InvalidDataException($"{path}: {Encoding.ASCII.GetString(buffer, 0, filled)}");
        }

        var received = (long)filled - head.Length;
        hash?.AppendData(buffer.AsSpan(head.Length, filled - head.Length));
        double? firstByte = received > 0 ? Stopwatch.GetElapsedTime(asked).TotalMilliseconds : null;
        while (received < length)
        {
            // Without a hash to make of it the kernel drops what came: a client's copy would compete with the servers for the cores.
            var read = hash is null ? Drop(socket, (int)Math.Min(buffer.Length, length - received)) : Receive(socket, buffer);
            firstByte ??= Stopwatch.GetElapsedTime(asked).TotalMilliseconds;
            hash?.AppendData(buffer.AsSpan(0, read));
            received += read;
        }

        return (firstByte ?? 0, received);
    }

    private static int Receive(Socket socket, Span<byte> buffer) => Some(socket.Receive(buffer));

    private static int Drop(Socket socket, int length) => Some((int)Drop((int)socket.Handle, 0, (nuint)length, Truncate));

    private static int Some(int read) => read > 0 ? read : throw new InvalidDataException("The connection was closed in the middle.");

    [LibraryImport("libc", EntryPoint = "recv")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Drop(int socket, nint buffer, nuint length, int flags);
}
