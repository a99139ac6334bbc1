using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>A request that went through a relay.</summary>
/// <param name="Target">Path and query.</param>
/// <param name="Head">That and all headers, as they were sent.</param>
internal sealed record RelayedRequest(string Target, string Head)
{
    /// <summary>A header's value, or null.</summary>
    public string? Header(string name) => Head.Split("\r\n")
        .FirstOrDefault(line => line.StartsWith($"{name}: ", StringComparison.OrdinalIgnoreCase))?[(name.Length + 2)..];
}

/// <summary>
/// A way to a mirror that remembers what was asked for. One connection, once, may end in the middle of what the mirror sends: in good order,
/// as behind a proxy that gives up.
/// </summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly List<RelayedRequest> _requests = [];
    private readonly List<Task> _connections = [];
    private readonly Uri _mirror;
    private readonly long _breakAfter;
    private readonly Task _accepting;
    private bool _hasBroken;

    /// <param name="mirror">Where everything goes.</param>
    /// <param name="breakAfter">How many bytes a connection brings until it is the one that ends; none does, if nothing is said.</param>
    public Relay(Uri mirror, long breakAfter = long.MaxValue)
    {
        (_mirror, _breakAfter) = (mirror, breakAfter);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary><c>127.0.0.1:port</c>.</summary>
    public string Host => $"{_listener.LocalEndpoint}";

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>In the order of arrival.</summary>
    public IReadOnlyList<RelayedRequest> Requests
    {
        get
        {
            lock (_lock)
            {
                return [.. _requests];
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _accepting;
        await Task.WhenAll(_connections);
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _connections.Add(RelayAsync(await _listener.AcceptSocketAsync(_stopping.Token)));
            }
        }
        catch (OperationCanceledException)
        {
            // It is told to stop.
        }
    }

    private async Task RelayAsync(Socket client)
    {
        using var _ = client;
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await server.ConnectAsync(_mirror.Host, _mirror.Port, _stopping.Token);
            await Task.WhenAll(RelayRequestsAsync(client, server), RelayAnswersAsync(server, client));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // One of the two has gone, or all is over.
        }
    }

    private async Task RelayRequestsAsync(Socket client, Socket server)
    {
        const string EndOfHead = "\r\n\r\n";
        var buffer = new byte[16 * 1024];
        var text = "";
        while (await client.ReceiveAsync(buffer, _stopping.Token) is var read and > 0)
        {
            // What is behind a head and begins none is a body's.
            var heads = (text + Encoding.Latin1.GetString(buffer, 0, read)).Split(EndOfHead);
            Remember(heads[..^1]);
            text = heads[^1];
            await SendAsync(server, buffer.AsMemory(0, read));
        }

        server.Shutdown(SocketShutdown.Send);
    }

    private async Task RelayAnswersAsync(Socket server, Socket client)
    {
        var buffer = new byte[16 * 1024];
        var total = 0L;
        var breaks = false;
        try
        {
            while (!breaks && await server.ReceiveAsync(buffer, _stopping.Token) is var read and > 0)
            {
                breaks = total + read > _breakAfter && MayBreak();
                await SendAsync(client, buffer.AsMemory(0, breaks ? (int)(_breakAfter - total) : read));
                total += read;
            }
        }
        finally
        {
            client.Shutdown(SocketShutdown.Send);
            server.Shutdown(SocketShutdown.Both);
        }
    }

    private async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await to.SendAsync(bytes, _stopping.Token)..];
        }
    }

    private bool MayBreak() => !Interlocked.Exchange(ref _hasBroken, value: true);

    private void Remember(IEnumerable<string> heads)
    {
        foreach (var head in heads)
        {
            if (head.Split("\r\n")[0].Split(' ') is [_, var target, "HTTP/1.1"])
            {
                lock (_lock)
                {
                    _requests.Add(new RelayedRequest(target, head));
                }
            }
        }
    }
}
