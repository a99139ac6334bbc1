namespace Mirror.Storage;

/// <summary>Only one process uses a data directory. The lock is the operating system's, so a killed process leaves none behind.</summary>
internal sealed class StoreLock : IDisposable
{
    private readonly FileStream _file;

    private StoreLock(FileStream file) => _file = file;

    /// <exception cref="StoreException">Another process holds it.</exception>
    public static StoreLock Take(StoreLayout layout)
    {
        try
        {
            return new StoreLock(new FileStream(layout.Lock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StoreException($"the data directory {layout.Root} can not be used: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new StoreInUseException(
                $"the data directory {layout.Root} is in use by another process: is a mirror running, or a command such as `mirror warm`?",
                e);
        }
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>The data directory can not be used; the message says why, for the operator.</summary>
public class StoreException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Another process uses the data directory.</summary>
public sealed class StoreInUseException(string message, Exception? inner = null) : StoreException(message, inner);
