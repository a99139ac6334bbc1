namespace Mirror.Storage;

/// <summary>The data directory, opened: files, index and lock.</summary>
public sealed class Store : IAsyncDisposable
{
    private readonly StoreLock _lock;

    private Store(StoreLock @lock, BlobStore blobs, Metadata metadata)
    {
        _lock = @lock;
        Blobs = blobs;
        Metadata = metadata;
    }

    public BlobStore Blobs { get; }

    public Metadata Metadata { get; }

    /// <exception cref="StoreException">It can not be used; the message says why.</exception>
    public static Store Open(string path, TimeProvider time)
    {
        var layout = new StoreLayout(path);
        if (File.Exists(layout.Root))
        {
            throw new StoreException($"the data directory {layout.Root} can not be used: it is a file");
        }

        try
        {
            layout.Create();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(layout, e);
        }

        var held = StoreLock.Take(layout);
        try
        {
            var blobs = new BlobStore(layout);
            blobs.SweepStaged(time.GetUtcNow());
            return new Store(held, blobs, Metadata.Open(layout, time));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            held.Dispose();
            throw Unusable(layout, e);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Metadata.DisposeAsync();
        _lock.Dispose();
    }

    private static StoreException Unusable(StoreLayout layout, Exception e) =>
        new($"the data directory {layout.Root} can not be used: {e.Message}", e);
}
