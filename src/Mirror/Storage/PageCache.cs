using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Storage;

/// <summary>What of files the kernel has in its memory: <c>cachestat(2)</c>, Linux 6.5.</summary>
internal static partial class PageCache
{
    /// <summary>The same on all machines that .NET runs on.</summary>
    private const nint Number = 451;

    /// <summary>Whether a part of a file is there, all of it, so that sending it reads nothing from the disk. False where the system does not say.</summary>
    public static bool Has(SafeFileHandle file, long offset, long length)
    {
        var page = Environment.SystemPageSize;
        var pages = (offset + length - 1) / page - offset / page + 1;
        return OperatingSystem.IsLinux() && Ask(Number, file, new Part(offset, length), out var there, flags: 0) == 0 && there.Pages == (ulong)pages;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Ask(nint number, SafeFileHandle file, in Part part, out There there, uint flags);

    // linux/mman.h: struct cachestat_range, struct cachestat.
    private readonly record struct Part(long Offset, long Length);

    private readonly record struct There(ulong Pages, ulong Dirty, ulong BeingWritten, ulong Evicted, ulong RecentlyEvicted);
}
