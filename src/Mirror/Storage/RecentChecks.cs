using System.Collections.Concurrent;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// Which blocks of published files were found to be right a short time ago: such a block, in a file that nobody has written to since, need not be read
/// through again before it leaves. What the disk does to it meanwhile, the kernel's memory does not hear of.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class RecentChecks(TimeProvider time)
{
    /// <summary>From the first block on that was checked.</summary>
    private static readonly TimeSpan Holds = TimeSpan.FromMinutes(1);

    /// <summary>Of more, the oldest are forgotten.</summary>
    private const int MaxKnown = 2000;

    private readonly ConcurrentDictionary<Digest, Checks> _known = new();

    /// <param name="digest">The blob.</param>
    /// <param name="version">The file's, before the block was read.</param>
    /// <param name="block">Which one is right.</param>
    /// <param name="blocks">How many there are.</param>
    public void Add(Digest digest, FileVersion version, long block, int blocks)
    {
        if (Find(digest, version) is not { } checks)
        {
            _known[digest] = checks = new Checks(version, time.GetTimestamp(), new int[(blocks + 31) / 32]);
            Forget();
        }

        Interlocked.Or(ref checks.Bits[block / 32], Bit(block));
    }

    /// <summary>How many blocks in a row, from one on, were right when they were read from a file of this version, and that is not long ago.</summary>
    /// <param name="digest">The blob.</param>
    /// <param name="version">The file's, now.</param>
    /// <param name="first">The first block.</param>
    /// <param name="last">The last that is of interest.</param>
    public int Count(Digest digest, FileVersion version, long first, long last)
    {
        var block = first;
        if (Find(digest, version) is { } checks)
        {
            while (block <= last && (Volatile.Read(ref checks.Bits[block / 32]) & Bit(block)) != 0)
            {
                block++;
            }
        }

        return (int)(block - first);
    }

    /// <summary>Nothing of a blob counts any more.</summary>
    public void Remove(Digest digest) => _known.TryRemove(digest, out _);

    private static int Bit(long block) => 1 << (int)(block % 32);

    private Checks? Find(Digest digest, FileVersion version) =>
        _known.TryGetValue(digest, out var checks) && checks.Version == version && time.GetElapsedTime(checks.Since) < Holds ? checks : null;

    private void Forget()
    {
        if (_known.Count > MaxKnown)
        {
            // A copy that no other thread can change meanwhile.
            foreach (var (old, _) in _known.ToArray().OrderBy(entry => entry.Value.Since).Take(MaxKnown / 2))
            {
                _known.TryRemove(old, out _);
            }
        }
    }

    private sealed record Checks(FileVersion Version, long Since, int[] Bits);
}
