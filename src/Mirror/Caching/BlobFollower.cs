using Microsoft.Win32.SafeHandles;
using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>
/// One reader of a running download, from some offset on. Where the download can not be stored, the reader goes on by itself and nobody notices.
/// Disposing it says that this reader has gone; the download goes on.
/// </summary>
public sealed class BlobFollower : IAsyncDisposable
{
    private readonly BlobDownload _download;
    private readonly TransferPriority _priority;
    private SafeFileHandle? _file;    // read so far
    private DirectStream? _direct;
    private int _left;

    internal BlobFollower(BlobDownload download, TransferPriority priority) => (_download, _priority) = (download, priority);

    /// <summary>Through which repository the blob is being fetched.</summary>
    public UpstreamRepository Repository => _download.Repository;

    /// <summary>How far the download has come, in bytes.</summary>
    public long Written => _download.Written;

    /// <summary>Why the download has failed, if it has.</summary>
    public DownloadFailedException? Failure => _download.Failure;

    /// <summary>Whether this reader has left the download's way for its own.</summary>
    public bool IsDirect => _direct is not null;

    /// <summary>Whether upstream gives the blob, and its size.</summary>
    public Task<RemoteAnswer<BlobSize>> OpenedAsync(CancellationToken cancellationToken) => _download.Opened.WaitAsync(cancellationToken);

    /// <summary>Waits like <see cref="ReadAsync"/>, and says where in a file the next bytes are. Null where they are in none, or can only be read.</summary>
    /// <param name="part">What has not been read yet.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="DownloadFailedException">The download has failed.</exception>
    public async ValueTask<(SafeFileHandle File, long End)?> FindAsync(BlobPart part, CancellationToken cancellationToken)
    {
        if (_direct is not null)
        {
            return null;
        }

        try
        {
            (_file, var end) = await _download.WaitBeyondAsync(part.Offset, _file, cancellationToken);
            return (_file, Math.Min(end, part.End));
        }
        catch (DownloadFailedException e) when (e.Fault == DownloadFault.Store)
        {
            return null;
        }
    }

    /// <summary>Reads on, waiting for the first byte of what is left. 0 at the part's end, which may be the verified end of the blob.</summary>
    /// <param name="part">What has not been read yet. Nobody reads back.</param>
    /// <param name="buffer">Is filled as far as there is something.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="DownloadFailedException">The download has failed.</exception>
    public async ValueTask<int> ReadAsync(BlobPart part, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var wanted = buffer[..(int)Math.Min(buffer.Length, part.End - part.Offset)];
        if (wanted.IsEmpty)
        {
            return 0;
        }

        if (_direct is null)
        {
            try
            {
                (_file, var end) = await _download.WaitBeyondAsync(part.Offset, _file, cancellationToken);
                return RandomAccess.Read(_file, wanted.Span[..(int)Math.Min(wanted.Length, end - part.Offset)], part.Offset);
            }
            catch (Exception e) when (e is IOException or DownloadFailedException { Fault: DownloadFault.Store })
            {
                _direct = await _download.GoOnAsync(part, _file, cancellationToken);
            }
        }

        return await _direct.ReadAsync(wanted, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
        {
            if (_direct is not null)
            {
                await _direct.DisposeAsync();
            }

            _download.Leave(_priority);
        }
    }
}
