using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Bench;

/// <summary>What the disk can do without any server.</summary>
internal static class Disk
{
    private const int Piece = 256 * 1024;

    /// <summary>Writes some content, several times over, to one file, and flushes it.</summary>
    /// <returns>The seconds.</returns>
    public static double Write(string folder, ReadOnlySpan<byte> content, int times)
    {
        var path = Path.Combine(folder, "written");
        var started = Stopwatch.GetTimestamp();
        using (var file = WriteFile(path, content, times))
        {
            RandomAccess.FlushToDisk(file);
        }

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        File.Delete(path);
        return seconds;
    }

    /// <summary>
    /// Has the kernel's next files lie in memory that has been used before. What a virtual machine has not used for a while its host may first have to
    /// find, at ten times the price of writing into it: whoever writes a file while it is measured would pay for that.
    /// </summary>
    public static void TouchMemory(string folder, ReadOnlySpan<byte> content, int times)
    {
        var path = Path.Combine(folder, "touched");
        WriteFile(path, content, times).Dispose();
        File.Delete(path);
    }

    private static SafeFileHandle WriteFile(string path, ReadOnlySpan<byte> content, int times)
    {
        var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        var offset = 0L;
        for (var i = 0; i < times; i++)
        {
            for (var left = content; left.Length > 0; left = left[Math.Min(Piece, left.Length)..])
            {
                var piece = left[..Math.Min(Piece, left.Length)];
                RandomAccess.Write(file, piece, offset);
                offset += piece.Length;
            }
        }

        return file;
    }
}
