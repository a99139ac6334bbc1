using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Storage;

/// <summary>What tells a file's content from what it was: another file, or the same one written to since.</summary>
/// <param name="Number">The file's, on its file system.</param>
/// <param name="ChangedAt">In seconds. Nobody can set it back.</param>
/// <param name="ChangedAtNanoseconds">Its fraction; the system's clock may be a few milliseconds coarse.</param>
internal readonly record struct FileVersion(ulong Number, long ChangedAt, uint ChangedAtNanoseconds);

/// <summary>What .NET does not say of an open file: <c>statx(2)</c>.</summary>
/// <param name="Owner">Its user's number.</param>
/// <param name="Group">Its group's.</param>
/// <param name="Version">Of its content.</param>
internal readonly partial record struct FileStatus(uint Owner, uint Group, FileVersion Version)
{
    // linux/stat.h and linux/fcntl.h: struct statx is the same on all machines.
    private const int EmptyPath = 0x1000;
    private const uint OwnerAndGroup = 0x18;
    private const uint ChangeTime = 0x80;
    private const uint Number = 0x100;
    private const int Size = 256;
    private const int OwnerAt = 20;
    private const int GroupAt = 24;
    private const int NumberAt = 32;
    private const int ChangedAt = 96;
    private const int NanosecondsAt = 104;

    /// <summary>Null where the system does not say all of it.</summary>
    public static FileStatus? Find(SafeFileHandle file)
    {
        const uint All = OwnerAndGroup | ChangeTime | Number;
        Span<byte> status = stackalloc byte[Size];
        return OperatingSystem.IsLinux() && Read(file, "", EmptyPath, All, status) == 0 && (Unsigned(status, 0) & All) == All
            ? new FileStatus(
                Unsigned(status, OwnerAt),
                Unsigned(status, GroupAt),
                new FileVersion(MemoryMarshal.Read<ulong>(status[NumberAt..]), MemoryMarshal.Read<long>(status[ChangedAt..]), Unsigned(status, NanosecondsAt)))
            : null;
    }

    private static uint Unsigned(ReadOnlySpan<byte> status, int at) => MemoryMarshal.Read<uint>(status[at..]);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Read(SafeFileHandle folder, string path, int flags, uint mask, Span<byte> status);
}
