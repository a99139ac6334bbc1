using System.Text.Json;

namespace Mirror.Storage;

/// <summary>A line of the journal: what it says, or why it says nothing.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Change">What it says.</param>
/// <param name="Fault">Why that can not be known.</param>
internal sealed record JournalLine(long Number, RefChange? Change, string? Fault);

/// <summary>Reads the journal from its beginning, in bounded memory. A line that was torn or has rotted costs no other.</summary>
internal static class JournalReader
{
    /// <summary>Many times what a line can need.</summary>
    private const int MaxLine = 64 * 1024;

    /// <param name="path">The journal.</param>
    /// <param name="offset">Where a line begins, in bytes; numbers count from there.</param>
    public static IEnumerable<JournalLine> Read(string path, long offset = 0)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        file.Seek(offset, SeekOrigin.Begin);
        var buffer = new byte[MaxLine];
        var (number, filled, isTooLong) = (1L, 0, false);
        while (true)
        {
            var read = file.Read(buffer, filled, buffer.Length - filled);
            filled += read;
            var start = 0;
            while (buffer.AsSpan(start, filled - start).IndexOf((byte)'\n') is >= 0 and var length)
            {
                yield return isTooLong ? TooLong(number) : Parse(number, buffer.AsSpan(start, length));
                (number, start, isTooLong) = (number + 1, start + length + 1, false);
            }

            if (read == 0)
            {
                if (filled > start || isTooLong)
                {
                    yield return new JournalLine(number, null, "it is cut off");
                }

                yield break;
            }

            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            if (filled == buffer.Length)
            {
                (filled, isTooLong) = (0, true);
            }
        }
    }

    private static JournalLine TooLong(long number) => new(number, null, "it is longer than any line can be");

    private static JournalLine Parse(long number, ReadOnlySpan<byte> line)
    {
        if (!RefJournal.TryCheck(line, out var text))
        {
            return new JournalLine(number, null, "it is not what was written: its checksum is another");
        }

        try
        {
            return JsonSerializer.Deserialize(text, RefChangeJson.Default.RefChange) is { } change
                ? new JournalLine(number, change, null)
                : new JournalLine(number, null, "it says nothing");
        }
        catch (JsonException)
        {
            return new JournalLine(number, null, "it is not JSON of a change");
        }
    }
}
