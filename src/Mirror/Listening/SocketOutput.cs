using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Mirror.Listening;

/// <summary>
/// What a connection without encryption sends, written to its socket directly: so parts of files can be among it that the kernel sends by itself.
/// A request finds it among its features.
/// </summary>
internal sealed class SocketOutput : PipeWriter, IDisposable
{
    /// <summary>So much is sent on another thread, while the writer prepares what comes next.</summary>
    private const int Large = 128 * 1024;

    /// <summary>What is read in the kernel's place is read in pieces of this size: a block of a blob is one.</summary>
    private const int RestBlock = 256 * 1024;

    /// <summary>After so much it is others' turn: a client that receives as fast as it is sent to would keep a thread to itself.</summary>
    private const int MaxInARow = 16 * 1024 * 1024;

    private readonly ConnectionContext _connection;
    private readonly Socket _socket;
    private readonly MemoryPool<byte> _pool;
    private List<Block> _written = [];
    private List<Block> _leaving = [];
    private IMemoryOwner<byte>? _block;
    private int _filled;
    private FilePart? _expected;
    private FilePart? _file;
    private Task _sending = Task.CompletedTask;
    private bool _isBroken;
    private int _unsent;    // of the last part of a file
    private int _inARow;

    private SocketOutput(ConnectionContext connection, Socket socket, MemoryPool<byte> pool)
    {
        _connection = connection;
        _socket = socket;
        _pool = pool;
    }

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _filled + _written.Sum(block => (long)block.Length) + (_file?.Length ?? 0);

    public static ConnectionDelegate Before(ConnectionDelegate next) => async connection =>
    {
        if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket
            || connection.Features.Get<IMemoryPoolFeature>()?.MemoryPool is not { } pool)
        {
            await next(connection);
            return;
        }

        using var output = new SocketOutput(connection, socket, pool);
        connection.Transport = new Duplex(connection.Transport.Input, output);
        connection.Features.Set(output);
        try
        {
            await next(connection);
        }
        finally
        {
            // The transport closes the socket next.
            await output._sending;
        }
    };

    /// <summary>Sends a part of a file as a part of a response's body whose length was announced.</summary>
    /// <param name="response">This connection's.</param>
    /// <param name="part">What to send.</param>
    /// <param name="read">
    /// Reads what the kernel can not send: from an offset on, into 256 KiB of memory, at least one byte; 0 where there is no more. What it throws ends
    /// the response.
    /// </param>
    /// <param name="cancellationToken">The request's; the connection's end ends it too.</param>
    /// <returns>False where nobody receives it any more, or there is nothing to read.</returns>
    public async ValueTask<bool> TrySendAsync(
        HttpResponse response, FilePart part, Func<long, Memory<byte>, ValueTask<int>> read, CancellationToken cancellationToken)
    {
        await response.StartAsync(cancellationToken);
        Expect(response.BodyWriter, part);
        var isGone = _file is null || (await response.BodyWriter.FlushAsync(cancellationToken)).IsCompleted;
        if (isGone || !await TrySendRestAsync(part, read))
        {
            // What the server has counted has not left.
            response.HttpContext.Abort();
            return false;
        }

        _inARow += part.Length;
        if (_inARow >= MaxInARow)
        {
            _inARow = 0;
            await Task.Yield();
        }

        return true;
    }

    public void Dispose()
    {
        EndBlock();
        Free(_written);
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_block is null || _block.Memory.Length - _filled < Math.Max(sizeHint, 1))
        {
            EndBlock();
            _block = sizeHint <= _pool.MaxBufferSize ? _pool.Rent() : MemoryPool<byte>.Shared.Rent(sizeHint);
        }

        return _block.Memory[_filled..];
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        if (_expected is { } part)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(bytes, part.Length);
            EndBlock();
            (_file, _expected) = (part, null);
            return;
        }

        _filled += bytes;
    }

    /// <summary>Completes when everything is with the kernel, but for one large piece at most.</summary>
    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        await _sending;
        EndBlock();
        (_written, _leaving) = (_leaving, _written);
        var file = _file;
        _file = null;
        if (file is null && _leaving.Sum(block => block.Length) >= Large)
        {
            _sending = Task.Run(() => SendAsync(file: null), CancellationToken.None);
        }
        else
        {
            await SendAsync(file);
        }

        return new FlushResult(isCanceled: false, isCompleted: _isBroken);
    }

    public override void CancelPendingFlush() => throw new NotSupportedException("What is on its way can not be called back.");

    /// <summary>The transport ends the connection, once what is on its way has left.</summary>
    public override void Complete(Exception? exception = null)
    {
    }

    private static void Free(List<Block> blocks)
    {
        blocks.ForEach(block => block.Owner.Dispose());
        blocks.Clear();
    }

    private void EndBlock()
    {
        if (_block is not null)
        {
            _written.Add(new Block(_block, _filled));
            (_block, _filled) = (null, 0);
        }
    }

    /// <summary>
    /// The server counts what is written to a body and passes it on; what these bytes are only this class knows. Where it keeps them to itself, because
    /// the connection has ended, there is no part to send afterwards.
    /// </summary>
    private void Expect(PipeWriter body, FilePart part)
    {
        try
        {
            _expected = part;
            _ = body.GetMemory(1);
            body.Advance(part.Length);
        }
        finally
        {
            _expected = null;
        }
    }

    /// <summary>Some file systems do not know how to send, and disks fail. The server has counted these bytes already.</summary>
    private async ValueTask<bool> TrySendRestAsync(FilePart part, Func<long, Memory<byte>, ValueTask<int>> read)
    {
        if (_unsent == 0)
        {
            return true;
        }

        using var block = MemoryPool<byte>.Shared.Rent(RestBlock);
        while (_unsent > 0)
        {
            var length = await read(part.Offset + part.Length - _unsent, block.Memory[..RestBlock]);
            if (length == 0)
            {
                return false;
            }

            length = Math.Min(length, _unsent);
            try
            {
                await SendAsync(block.Memory[..length]);
            }
            catch (Exception e) when (IsEnd(e))
            {
                Break(e);
                return false;
            }

            _unsent -= length;
        }

        return true;
    }

    private async Task SendAsync(FilePart? file)
    {
        _unsent = file?.Length ?? 0;
        try
        {
            foreach (var block in _leaving)
            {
                await SendAsync(block.Owner.Memory[..block.Length]);
            }

            if (file is { } part)
            {
                _unsent -= await FileSender.SendAsync(_socket, part);
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            Break(e);
        }
        finally
        {
            Free(_leaving);
        }
    }

    private async Task SendAsync(ReadOnlyMemory<byte> content)
    {
        while (!content.IsEmpty)
        {
            content = content[await _socket.SendAsync(content, SocketFlags.None)..];
        }
    }

    private static bool IsEnd(Exception failure) => failure is SocketException or ObjectDisposedException;

    /// <summary>Who writes is told with the next flush, and the connection's end ends the request too.</summary>
    private void Break(Exception failure)
    {
        _isBroken = true;
        _connection.Abort(new ConnectionAbortedException(failure.Message, failure));
    }

    private readonly record struct Block(IMemoryOwner<byte> Owner, int Length);

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
