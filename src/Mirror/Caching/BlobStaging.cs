using System.Buffers;
using System.Threading.Channels;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// Stores what arrives on tasks of its own: while one block is hashed, the next is written and the one behind it received. A few blocks at most
/// are between one and the next.
/// </summary>
internal sealed class BlobStaging
{
    private const int Ahead = 4;

    private readonly Channel<Piece> _arrived = NewChannel();
    private readonly Channel<Piece> _written = NewChannel();
    private readonly StagedBlob _staged;
    private readonly StagedBlob? _former;
    private readonly CacheStore _store;
    private readonly DownloadProgress _progress;
    private readonly Task _running;

    /// <param name="staged">Gets what arrives.</param>
    /// <param name="former">What arrived the time before, if this is the second: where it differs is told.</param>
    /// <param name="progress">Moves with every piece.</param>
    /// <param name="store">Is told when a piece could not be stored.</param>
    public BlobStaging(StagedBlob staged, StagedBlob? former, DownloadProgress progress, CacheStore store)
    {
        _store = store;
        _staged = staged;
        _former = former;
        _progress = progress;
        // Of two failures the first of these is told. Where hashing fails, writing fails for that reason; the reverse is not so.
        _running = Task.WhenAll(Task.Run(HashAsync), Task.Run(WriteAsync));
    }

    public static byte[] RentBlock() => ArrayPool<byte>.Shared.Rent(BlockChecksums.BlockSize);

    /// <summary>Takes some bytes of a block; with the last piece the block itself, which goes back to the pool when it is stored.</summary>
    /// <returns>Whether they will be stored. If not, <see cref="EndAsync"/> says why.</returns>
    public ValueTask<bool> TryPutAsync(byte[] block, int start, int end, bool isLast) => TryPutAsync(new Piece(block, start, end - start, isLast, Reached: null));

    /// <summary>Whether what upstream sends once more is what was stored of it before.</summary>
    public async ValueTask<bool> HasAsync(long offset, ReadOnlyMemory<byte> content)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (await TryPutAsync(new Piece([], 0, 0, IsLast: false, reached)))
        {
            await Task.WhenAny(reached.Task, _running);
        }

        // Where storing has failed there is nothing to compare with, and nothing more will be stored.
        return !reached.Task.IsCompleted || _staged.FindDifference(offset, content.Span) is null;
    }

    /// <summary>Waits until all is stored.</summary>
    /// <exception cref="DownloadFailedException">It could not be.</exception>
    public async Task EndAsync()
    {
        _arrived.Writer.TryComplete();
        try
        {
            await _running;
        }
        catch (Exception e)
        {
            throw _store.NotStored(e);
        }
    }

    private static Channel<Piece> NewChannel() =>
        Channel.CreateBounded<Piece>(new BoundedChannelOptions(Ahead) { SingleReader = true, SingleWriter = true });

    private async ValueTask<bool> TryPutAsync(Piece piece)
    {
        try
        {
            await _arrived.Writer.WriteAsync(piece);
            return true;
        }
        catch (ChannelClosedException)
        {
            return false;
        }
    }

    private async Task WriteAsync()
    {
        try
        {
            await foreach (var piece in _arrived.Reader.ReadAllAsync())
            {
                piece.Reached?.SetResult();
                if (piece.Length > 0)
                {
                    Write(piece.Content);
                }

                await _written.Writer.WriteAsync(piece);
            }
        }
        finally
        {
            // After a failure too: nothing more is taken.
            _arrived.Writer.TryComplete();
            _written.Writer.TryComplete();
        }
    }

    private async Task HashAsync()
    {
        try
        {
            await foreach (var piece in _written.Reader.ReadAllAsync())
            {
                _staged.Hash(piece.Content);
                if (piece.IsLast)
                {
                    ArrayPool<byte>.Shared.Return(piece.Block);
                }
            }
        }
        finally
        {
            _written.Writer.TryComplete();
        }
    }

    private void Write(ReadOnlySpan<byte> content)
    {
        if (_former?.FindDifference(_staged.Length, content) is { } offset)
        {
            _progress.Differs(offset);
        }

        _staged.Write(content);
        _progress.Advance(_staged.Length);
    }

    private readonly record struct Piece(byte[] Block, int Start, int Length, bool IsLast, TaskCompletionSource? Reached)
    {
        public ReadOnlySpan<byte> Content => Block.AsSpan(Start, Length);
    }
}
