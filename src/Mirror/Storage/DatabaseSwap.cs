namespace Mirror.Storage;

/// <summary>
/// Puts a database that was made anew in the old one's place. It consists of more files than one, and a log that belongs to another database
/// would ruin it; so the one rename that decides comes first, and whoever opens the store next ends what a crash has left undone.
/// </summary>
internal static class DatabaseSwap
{
    private const string Log = "-wal";
    private const string SharedMemory = "-shm";

    /// <summary>The database that was being made is whole, and closed: from now on it is the one that holds.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Decide(StoreLayout layout)
    {
        if (File.Exists(layout.BuildingDatabase + Log))
        {
            throw new IOException($"{layout.BuildingDatabase} was not closed.");
        }

        using (var file = File.OpenHandle(layout.BuildingDatabase, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.FlushToDisk(file);
        }

        File.Move(layout.BuildingDatabase, layout.RebuiltDatabase, overwrite: true);
        Durability.FlushFolder(layout.Root);
        Settle(layout);
    }

    /// <summary>Ends what was decided, and removes what never was. Only who holds the store's lock may.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Settle(StoreLayout layout)
    {
        RemoveUnfinished(layout);
        if (!File.Exists(layout.RebuiltDatabase))
        {
            return;
        }

        if (File.Exists(layout.Database))
        {
            File.Delete(layout.OldDatabase + Log);
            File.Move(layout.Database, layout.OldDatabase, overwrite: true);
        }

        if (File.Exists(layout.Database + Log))
        {
            File.Move(layout.Database + Log, layout.OldDatabase + Log, overwrite: true);
        }

        File.Delete(layout.Database + SharedMemory);
        Durability.FlushFolder(layout.Root);
        File.Move(layout.RebuiltDatabase, layout.Database);
        Durability.FlushFolder(layout.Root);
    }

    /// <summary>Removes what there is of a database that was being made.</summary>
    public static void RemoveUnfinished(StoreLayout layout)
    {
        foreach (var file in new[] { layout.BuildingDatabase, layout.BuildingDatabase + Log, layout.BuildingDatabase + SharedMemory })
        {
            File.Delete(file);
        }
    }
}
