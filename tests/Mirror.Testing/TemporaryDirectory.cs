namespace Mirror.Testing;

/// <summary>A folder of one's own; gone with all it holds, read-only files and folders too, when disposed.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("mirror-").FullName;

    /// <summary>A path within the folder; nothing is created.</summary>
    public string Combine(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    public void Dispose()
    {
        if (!Directory.Exists(Path))
        {
            return;
        }

        Unlock(new DirectoryInfo(Path));
        Directory.Delete(Path, recursive: true);
    }

    private static void Unlock(DirectoryInfo directory)
    {
        if (!OperatingSystem.IsWindows())
        {
            directory.UnixFileMode |= UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        }

        foreach (var entry in directory.EnumerateFileSystemInfos().Where(entry => entry.LinkTarget is null))
        {
            if (entry is DirectoryInfo inner)
            {
                Unlock(inner);
            }
            else
            {
                entry.Attributes &= ~FileAttributes.ReadOnly;
            }
        }
    }
}
