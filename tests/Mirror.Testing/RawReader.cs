using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Mirror.Testing;

/// <summary>Reads lines and bytes from a socket, and takes no more from it than what was asked for, lines apart.</summary>
internal sealed class RawReader(Socket socket)
{
    private readonly byte[] _buffer = new byte[1024];
    private int _start;
    private int _end;

    /// <summary>0 at the connection's end, whether it was closed or reset.</summary>
    public async Task<int> ReadAsync(Memory<byte> destination)
    {
        if (_start == _end)
        {
            return await ReceiveAsync(destination);
        }

        var count = Math.Min(destination.Length, _end - _start);
        _buffer.AsMemory(_start, count).CopyTo(destination);
        _start += count;
        return count;
    }

    /// <summary>A line without its end.</summary>
    public async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        while (true)
        {
            if (_start == _end)
            {
                (_start, _end) = (0, await ReceiveAsync(_buffer));
                if (_end == 0)
                {
                    throw new EndOfStreamException($"The connection ended after '{line}'.");
                }
            }

            var next = (char)_buffer[_start++];
            if (next == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append(next);
        }
    }

    private async Task<int> ReceiveAsync(Memory<byte> destination)
    {
        try
        {
            return await socket.ReceiveAsync(destination);
        }
        catch (SocketException)
        {
            return 0;
        }
    }
}

/// <summary>Where a body ends: by its Content-Length, its last chunk, or its connection.</summary>
internal sealed class BodyFrame
{
    private readonly RawReader _reader;
    private readonly bool _isChunked;
    private long _left; // of the body or, where it is chunked, of the chunk

    private BodyFrame(RawReader reader, bool isChunked, long left) =>
        (_reader, _isChunked, _left, IsComplete) = (reader, isChunked, left, !isChunked && left == 0);

    /// <summary>Whether the end that was promised has been read.</summary>
    public bool IsComplete { get; private set; }

    public static BodyFrame Of(RawHead head, bool isHead, RawReader reader) =>
        isHead || head.Status is 204 or 304 ? new BodyFrame(reader, isChunked: false, 0)
        : head.Headers.GetValueOrDefault("Transfer-Encoding")?.Contains("chunked", StringComparison.OrdinalIgnoreCase) ?? false
            ? new BodyFrame(reader, isChunked: true, 0)
        : head.Headers.TryGetValue("Content-Length", out var length)
            ? new BodyFrame(reader, isChunked: false, long.Parse(length, CultureInfo.InvariantCulture))
        // Without any frame only the connection's end can be waited for, and nobody can say whether it is the body's.
        : new BodyFrame(reader, isChunked: false, long.MaxValue);

    public async Task<int> ReadAsync(Memory<byte> destination)
    {
        if (_isChunked && _left == 0 && !IsComplete && !await StartChunkAsync())
        {
            return 0;
        }

        if (IsComplete)
        {
            return 0;
        }

        var read = await _reader.ReadAsync(destination[..(int)Math.Min(destination.Length, _left)]);
        _left -= read;
        if (_left == 0)
        {
            await EndPartAsync();
        }

        return read;
    }

    /// <summary>False where the connection ended instead.</summary>
    private async Task<bool> StartChunkAsync()
    {
        if (await FindLineAsync() is not { } size)
        {
            return false;
        }

        _left = long.Parse(size.Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        // The last chunk is empty and has an empty line, without trailers, behind it.
        IsComplete = _left == 0 && await FindLineAsync() is "";
        return _left > 0;
    }

    private async Task EndPartAsync()
    {
        if (_isChunked)
        {
            await FindLineAsync();
        }
        else
        {
            IsComplete = true;
        }
    }

    private async Task<string?> FindLineAsync()
    {
        try
        {
            return await _reader.ReadLineAsync();
        }
        catch (EndOfStreamException)
        {
            return null;
        }
    }
}
