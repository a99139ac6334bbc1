using Mirror.Storage;
using Mirror.Sync.Repositories;

namespace Mirror.Replication;

/// <summary>A published blob from an offset on, as a stream. Each block is checked before any byte of it is given.</summary>
/// <param name="blob">Disposed with the stream.</param>
/// <param name="offset">Of the first byte.</param>
/// <param name="damaged">Told of a block that is not what it should be.</param>
internal sealed class PublishedBlobStream(PublishedBlob blob, long offset, Func<BlobDamagedException, Task> damaged) : ForwardStream
{
    private readonly byte[] _block = new byte[Math.Min(BlockChecksums.BlockSize, blob.Size)];
    private long _offset = offset;
    private long _start = -1;
    private int _length;

    /// <exception cref="BlobDamagedException">The disk no longer has what was published.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_offset >= blob.Size)
        {
            return 0;
        }

        var start = _offset - (_offset % BlockChecksums.BlockSize);
        if (start != _start)
        {
            try
            {
                (_length, _start) = (blob.ReadBlock(start / BlockChecksums.BlockSize, _block), start);
            }
            catch (BlobDamagedException e)
            {
                await damaged(e);
                throw;
            }
        }

        var from = (int)(_offset - start);
        var read = Math.Min(buffer.Length, _length - from);
        _block.AsMemory(from, read).CopyTo(buffer);
        _offset += read;
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        blob.Dispose();
        base.Dispose(disposing);
    }
}
