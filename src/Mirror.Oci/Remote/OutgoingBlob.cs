using System.Security.Cryptography;

namespace Mirror.Oci.Remote;

/// <summary>Opens a blob's content from an offset on. It may be called again after a stream has failed.</summary>
public delegate Task<Stream> OpenContent(long offset, CancellationToken cancellationToken);

/// <summary>
/// A blob on its way out. Whatever place it is sent from again, the hash is that of exactly the bytes before the place where it stands: it is
/// kept every few mebibytes, and from there on read again. Nothing else of the blob is kept.
/// </summary>
internal sealed class OutgoingBlob(Descriptor descriptor, OpenContent open) : IAsyncDisposable
{
    private const long CheckpointDistance = 8 * 1024 * 1024;
    private const int SkipBufferSize = 64 * 1024;

    private readonly List<(long At, IncrementalHash Hash)> _checkpoints = [(0, Digest.Start(descriptor.Digest.Algorithm))];
    private IncrementalHash _hash = Digest.Start(descriptor.Digest.Algorithm);
    private Stream? _stream;
    private long _position;
    private Exception? _fault;

    public Digest Digest => descriptor.Digest;

    public long Size => descriptor.Size;

    /// <summary>What was given to connections, in bytes, each as often as it was.</summary>
    public long Sent { get; private set; }

    /// <summary>Whether all of it was read, and is not what its digest says.</summary>
    public bool IsWrong { get; private set; }

    /// <summary>Whether all of it was read, and is what its digest says.</summary>
    public bool IsRight => _position == Size && Digest.Finish(_hash) == Digest;

    public bool HasFault => _fault is not null;

    /// <summary>What the source has failed with since this was last asked.</summary>
    public Exception? TakeFault()
    {
        var fault = _fault;
        _fault = null;
        return fault;
    }

    public void CountSent(int bytes) => Sent += bytes;

    /// <summary>The last bytes of a blob with another digest are not sent: where they finish an upload, that would be too late.</summary>
    /// <exception cref="InvalidDataException">All was read, and is wrong.</exception>
    public void RefuseWrongEnd()
    {
        if (_position == Size && !IsRight)
        {
            IsWrong = true;
            throw new InvalidDataException($"the content is not {Digest}");
        }
    }

    /// <summary>Goes to a place, with the hash of all that comes before it.</summary>
    public async Task SeekAsync(long offset, CancellationToken cancellationToken)
    {
        if (offset != _position)
        {
            await CloseAsync();
            var checkpoint = _checkpoints.Last(point => point.At <= offset);
            _hash.Dispose();
            (_hash, _position) = (checkpoint.Hash.Clone(), checkpoint.At);
        }

        var buffer = new byte[Math.Min(SkipBufferSize, offset - _position)];
        while (_position < offset)
        {
            await ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, offset - _position)), cancellationToken);
        }
    }

    /// <summary>The next bytes, at least one.</summary>
    /// <exception cref="EndOfStreamException">The source ended before the blob did.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            _stream ??= await open(_position, cancellationToken);
            var read = await _stream.ReadAsync(buffer, cancellationToken);
            if (read == 0)
            {
                throw new EndOfStreamException($"{Digest} ended after {_position} of {Size} bytes");
            }

            _hash.AppendData(buffer.Span[..read]);
            _position += read;
            if (_position - _checkpoints[^1].At >= CheckpointDistance)
            {
                _checkpoints.Add((_position, _hash.Clone()));
            }

            return read;
        }
        catch (Exception e)
        {
            _fault = e is OperationCanceledException && cancellationToken.IsCancellationRequested ? null : e;
            await CloseAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _hash.Dispose();
        foreach (var (_, hash) in _checkpoints)
        {
            hash.Dispose();
        }
    }

    private async Task CloseAsync()
    {
        if (_stream is { } stream)
        {
            _stream = null;
            await stream.DisposeAsync();
        }
    }
}
