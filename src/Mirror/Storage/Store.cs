namespace Mirror.Storage;

/// <summary>The data directory, opened: files, index and lock.</summary>
public sealed class Store : IAsyncDisposable
{
    private readonly StoreLock _lock;

    private readonly StoreLayout _layout;

    private Store(StoreLayout layout, StoreLock @lock, BlobStore blobs, Metadata metadata, Leases leases)
    {
        _layout = layout;
        _lock = @lock;
        Blobs = blobs;
        Metadata = metadata;
        Leases = leases;
    }

    public BlobStore Blobs { get; }

    public Metadata Metadata { get; }

    /// <summary>What must not be collected now.</summary>
    public Leases Leases { get; }

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
            RefuseSeveralDisks(layout);
            DatabaseSwap.Settle(layout);
            var blobs = new BlobStore(layout, time);
            blobs.SweepStaged(time.GetUtcNow());
            return new Store(layout, held, blobs, Metadata.Open(layout, time), new Leases(time));
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

    /// <summary>What takes room in the data directory beside published content.</summary>
    public StoreFiles MeasureFiles()
    {
        var staged = new DirectoryInfo(_layout.Staged).EnumerateFiles().Select(LengthOf).ToList();
        var database = new[]
        {
            _layout.Database, $"{_layout.Database}-wal", $"{_layout.Database}-shm", _layout.OldDatabase, $"{_layout.OldDatabase}-wal", _layout.Journal,
        };
        return new StoreFiles(
            _layout.Root, staged.Count, staged.Sum(), database.Sum(path => LengthOf(new FileInfo(path))), FindFreeBytes(_layout.Root));
    }

    public async ValueTask DisposeAsync()
    {
        await Metadata.DisposeAsync();
        _lock.Dispose();
    }

    /// <summary>0 where the file has gone meanwhile, as staged files do.</summary>
    private static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }

    private static long? FindFreeBytes(string path)
    {
        try
        {
            return new DriveInfo(path).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Between two disks, or two mounts of one, content would have to be copied, and would be visible by half.</summary>
    private static void RefuseSeveralDisks(StoreLayout layout)
    {
        try
        {
            layout.TryRename();
        }
        catch (IOException e) when (Durability.IsAcrossFileSystems(e))
        {
            throw new StoreException(
                $"the data directory {layout.Root} can not be used: its folders staged and blobs have to be on one file system, and files can not be"
                + $" renamed from one into the other ({e.Message})",
                e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What else may be wrong, such as a full disk, keeps nobody from reading what is here.
        }
    }

    private static StoreException Unusable(StoreLayout layout, Exception e) =>
        new($"the data directory {layout.Root} can not be used: {e.Message}", e);
}

/// <param name="Root">The data directory.</param>
/// <param name="StagedCount">Files that are being received, or were when that broke off.</param>
/// <param name="StagedBytes">Of all of them.</param>
/// <param name="DatabaseBytes">With the journal of changes, and the database that was there before it was made again.</param>
/// <param name="FreeBytes">Of the disk, for this user; null where the system does not say.</param>
public sealed record StoreFiles(string Root, int StagedCount, long StagedBytes, long DatabaseBytes, long? FreeBytes);
