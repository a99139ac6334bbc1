using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mirror.Testing;

/// <summary>A status line and headers as they came; names in any case, several lines of one name joined by a comma.</summary>
public sealed record RawHead(string StatusLine, int Status, IReadOnlyDictionary<string, string> Headers);

/// <param name="Head">Status line and headers.</param>
/// <param name="Body">The body without its chunks' frames.</param>
/// <param name="IsComplete">Whether Content-Length or the last chunk says that it is all; false if the connection ended before.</param>
public sealed record RawResponse(RawHead Head, byte[] Body, bool IsComplete)
{
    public int Status => Head.Status;

    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>
/// One connection on which a test says exactly what it wants, paths that no client would send among it, and reads as slowly as it wants.
/// </summary>
public sealed class RawHttp : IDisposable
{
    private readonly Socket _socket;
    private readonly RawReader _reader;
    private BodyFrame? _body;

    private RawHttp(Socket socket)
    {
        _socket = socket;
        _reader = new RawReader(socket);
    }

    /// <param name="server">Scheme and path do not matter.</param>
    /// <param name="receiveBuffer">The kernel's buffer, in bytes. With a small one the server soon feels that nobody reads.</param>
    /// <param name="from">The client's own address: any of 127.0.0.0/8 is this machine's.</param>
    public static async Task<RawHttp> ConnectAsync(Uri server, int? receiveBuffer = null, IPAddress? from = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } size)
        {
            socket.ReceiveBufferSize = size;
        }

        if (from is not null)
        {
            socket.Bind(new IPEndPoint(from, port: 0));
        }

        await socket.ConnectAsync(server.Host, server.Port);
        return new RawHttp(socket);
    }

    /// <summary>One request on a connection of its own, with its answer: status 0 where the connection was cut before there was one.</summary>
    public static async Task<RawResponse> SendAsync(Uri server, string request)
    {
        using var connection = await ConnectAsync(server);
        await connection.SendAsync(request);
        try
        {
            return await connection.ReadResponseAsync(isHead: request.StartsWith("HEAD ", StringComparison.Ordinal));
        }
        catch (EndOfStreamException)
        {
            return new RawResponse(new RawHead("", 0, new Dictionary<string, string>()), [], IsComplete: false);
        }
    }

    /// <summary>A GET of exactly this target, on a connection of its own.</summary>
    public static Task<RawResponse> GetAsync(Uri server, string target, params IReadOnlyList<string> headers) =>
        SendAsync(server, Request(server, "GET", target, headers));

    /// <summary>The text of a request without a body; <paramref name="headers"/> are whole lines.</summary>
    public static string Request(Uri server, string method, string target, params IReadOnlyList<string> headers) =>
        string.Join("\r\n", [$"{method} {target} HTTP/1.1", $"Host: {server.Authority}", .. headers, "", ""]);

    /// <summary>Sends the text as it is, one byte for each character.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _socket.SendAsync(bytes);

    /// <summary>Reads up to the end of the headers, past answers of the 100s.</summary>
    /// <exception cref="EndOfStreamException">The connection ended before.</exception>
    public async Task<RawHead> ReadHeadAsync(bool isHead = false)
    {
        RawHead head;
        do
        {
            head = await ReadOneHeadAsync();
        }
        while (head.Status is >= 100 and < 200);

        _body = BodyFrame.Of(head, isHead, _reader);
        return head;
    }

    /// <summary>Reads exactly so many bytes of the body; fewer only where it ends.</summary>
    public async Task<byte[]> ReadBodyAsync(int count)
    {
        var frame = _body ?? throw new InvalidOperationException("The head comes first.");
        var bytes = new byte[count];
        var filled = 0;
        while (filled < count && await frame.ReadAsync(bytes.AsMemory(filled)) is var read and > 0)
        {
            filled += read;
        }

        return bytes[..filled];
    }

    /// <summary>Reads head and body to the body's end or the connection's.</summary>
    public async Task<RawResponse> ReadResponseAsync(bool isHead = false)
    {
        var head = await ReadHeadAsync(isHead);
        return await ReadRestAsync(head);
    }

    /// <summary>What is left of the body whose head was read.</summary>
    public async Task<RawResponse> ReadRestAsync(RawHead head)
    {
        using var body = new MemoryStream();
        while (await ReadBodyAsync(64 * 1024) is { Length: > 0 } bytes)
        {
            body.Write(bytes);
        }

        return new RawResponse(head, body.ToArray(), _body!.IsComplete);
    }

    /// <summary>Leaves without a word: the server sees a reset.</summary>
    public void Reset() => _socket.Close(timeout: 0);

    public void Dispose() => _socket.Dispose();

    private async Task<RawHead> ReadOneHeadAsync()
    {
        var statusLine = await _reader.ReadLineAsync();
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await _reader.ReadLineAsync() is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var (name, value) = (line[..colon], line[(colon + 1)..].Trim());
            headers[name] = headers.TryGetValue(name, out var before) ? $"{before}, {value}" : value;
        }

        return new RawHead(statusLine, int.Parse(statusLine.Split(' ')[1], CultureInfo.InvariantCulture), headers);
    }
}
