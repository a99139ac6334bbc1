using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>One reader of a running download. Disposing it says that this reader has gone; the download goes on.</summary>
public sealed class BlobFollower : IDisposable
{
    private readonly BlobDownload _download;
    private int _left;

    internal BlobFollower(BlobDownload download) => _download = download;

    /// <summary>Through which repository the blob is being fetched.</summary>
    public UpstreamRepository Repository => _download.Repository;

    /// <summary>Whether upstream gives the blob, and its size.</summary>
    /// <exception cref="DownloadFailedException">Our own disk failed.</exception>
    public Task<RemoteAnswer<BlobSize>> OpenedAsync(CancellationToken cancellationToken) => _download.Opened.WaitAsync(cancellationToken);

    /// <summary>How far the download has come, in bytes.</summary>
    public long Written => _download.Written;

    /// <summary>Reads what is there behind <paramref name="offset"/>, waiting for the first byte of it. 0 at the verified end.</summary>
    /// <exception cref="DownloadFailedException">The download has failed.</exception>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken) =>
        _download.ReadAsync(offset, buffer, cancellationToken);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
        {
            _download.Leave();
        }
    }
}
