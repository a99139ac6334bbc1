using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Storage;

/// <summary>
/// What .NET has no call for: to flush a folder's entries like a file's bytes, so that a rename or a new folder survives a power failure; to rename
/// without ever copying, and to have the new file belong to whom the old one did; to give a file a second name; and to have a file's bytes written soon.
/// </summary>
internal static partial class Durability
{
    private const int ReadOnly = 0;
    private const uint SyncFileRangeWrite = 2;

    /// <summary>ENOSPC, on Linux and macOS.</summary>
    private const int NoSpace = 28;

    /// <summary>EXDEV, on Linux and macOS.</summary>
    private const int AcrossFileSystems = 18;

    private static readonly Lock Creating = new();

    /// <summary>Makes a folder, and those above it, where they are not there yet. It is there after a power failure too.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void CreateFolder(string path)
    {
        // Whoever comes second must not take the folder for durable before the first has flushed it.
        lock (Creating)
        {
            if (Directory.Exists(path))
            {
                return;
            }

            var parent = Path.GetDirectoryName(path)!;
            CreateFolder(parent);
            Directory.CreateDirectory(path);
            FlushFolder(parent);
        }
    }

    /// <summary>Puts a file in the place of another, at once or not at all: never by copying it to another disk.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Rename(string from, string to)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            File.Move(from, to, overwrite: true);
        }
        else if (RenameFile(from, to) != 0)
        {
            throw Failure($"{from} could not be renamed to {to}");
        }
    }

    /// <summary>
    /// Gives a file that is to take another's place the owner and the group of that, as far as the system allows it: what root changes, others are to be
    /// able to read as before.
    /// </summary>
    public static void KeepOwner(SafeFileHandle old, SafeFileHandle replacement)
    {
        if (FileStatus.Find(old) is { } status && ChangeOwner(replacement, status.Owner, status.Group) != 0)
        {
            // Only root gives files away, but one's own groups are anybody's to give.
            _ = ChangeOwner(replacement, uint.MaxValue, status.Group);
        }
    }

    /// <summary>
    /// Gives a file a second name. False where the file system, the system's rules or the file do not allow that: what to do instead shows the
    /// reason, if it is one to fail for.
    /// </summary>
    public static bool TryLink(string from, string to)
    {
        if ((!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS()) || LinkFile(from, to) != 0)
        {
            return false;
        }

        // The name may have become a symbolic link's a moment ago; then that has been linked, and not what it leads to.
        if (new FileInfo(to).LinkTarget is null)
        {
            return true;
        }

        File.Delete(to);
        return false;
    }

    /// <summary>Whether a rename has failed because the two places are on different file systems, or in different mounts of one.</summary>
    public static bool IsAcrossFileSystems(IOException failure) => failure.HResult == AcrossFileSystems;

    /// <summary>Whether something has failed because the disk is full.</summary>
    public static bool IsDiskFull(IOException failure) => failure.HResult == NoSpace;

    /// <summary>Makes a rename in a folder survive a power failure.</summary>
    /// <exception cref="IOException">The folder could not be flushed.</exception>
    public static void FlushFolder(string path)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            return;
        }

        var descriptor = Open(path, ReadOnly);
        if (descriptor < 0)
        {
            throw NotFlushed(path);
        }

        try
        {
            if (Flush(descriptor) != 0)
            {
                throw NotFlushed(path);
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>
    /// Has the disk begin with a part of a file, without waiting. What a later flush finds written already it need not wait for; whether anything
    /// was written is for that flush to say.
    /// </summary>
    public static void BeginFlush(SafeFileHandle file, long offset, long length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SyncFileRange(file, offset, length, SyncFileRangeWrite);
        }
    }

    private static IOException NotFlushed(string path) => Failure($"the folder {path} could not be flushed");

    private static IOException Failure(string what)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"{what}: {new Win32Exception(error).Message}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int RenameFile(string from, string to);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int LinkFile(string from, string to);

    [LibraryImport("libc", EntryPoint = "fchown")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ChangeOwner(SafeFileHandle file, uint owner, uint group);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SyncFileRange(SafeFileHandle file, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);
}
