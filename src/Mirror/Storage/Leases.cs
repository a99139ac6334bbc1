using System.Collections.Concurrent;
using System.Globalization;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// Content that somebody was just told is here, or has just brought: it is not collected for a day, because they may be about to refer to it. What
/// an earlier process has told is not known, so for a day after a start that goes for everything.
/// </summary>
/// <remarks>
/// Kept in two sets, the one that is filled and the one before it: a lease is forgotten together with all others of its set, a day or up to two
/// after it was taken. A digest's last 64 bits stand for it: two of the same end only keep each other longer.
/// </remarks>
public sealed class Leases(TimeProvider time)
{
    public static readonly TimeSpan Duration = TimeSpan.FromDays(1);

    private readonly Lock _gate = new();
    private readonly long _startedAt = time.GetTimestamp();
    private Sets _sets = new(time.GetTimestamp(), Current: [], Before: []);

    /// <summary>Content is here, and somebody relies on that from now on.</summary>
    public void Take(Digest digest)
    {
        var current = Turn().Current;
        var key = KeyOf(digest);

        // What is asked for again and again, as most content is, costs a look and no lock.
        if (!current.ContainsKey(key))
        {
            current.TryAdd(key, true);
        }
    }

    /// <summary>
    /// Whether content must stay. Who collects it first sees to it that nobody finds it any more, and asks once more then: it may have been
    /// found in between.
    /// </summary>
    public bool IsHeld(Digest digest)
    {
        var (_, current, before) = Turn();
        var key = KeyOf(digest);
        return time.GetElapsedTime(_startedAt) < Duration || current.ContainsKey(key) || before.ContainsKey(key);
    }

    /// <summary>The sets as of now. Who still adds to one that has just become the former adds to what is kept for a day more.</summary>
    private Sets Turn()
    {
        var sets = Volatile.Read(ref _sets);
        if (time.GetElapsedTime(sets.Since) < Duration)
        {
            return sets;
        }

        lock (_gate)
        {
            var age = time.GetElapsedTime(_sets.Since);
            if (age >= Duration)
            {
                Volatile.Write(ref _sets, new Sets(time.GetTimestamp(), Current: [], Before: age < 2 * Duration ? _sets.Current : []));
            }

            return _sets;
        }
    }

    private static ulong KeyOf(Digest digest)
    {
        var text = digest.ToString();
        return ulong.Parse(text.AsSpan(text.Length - 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    private sealed record Sets(long Since, ConcurrentDictionary<ulong, bool> Current, ConcurrentDictionary<ulong, bool> Before);
}
