using System.Diagnostics.CodeAnalysis;

namespace Mirror.Caching;

/// <summary>
/// What upstreams have said of things that are not kept on disk, and when. Bounded: the oldest answers go first. Whether one still counts is for
/// the caller to say.
/// </summary>
/// <param name="limit">Of the sum of all answers' weights.</param>
/// <param name="weigh">An answer's weight, at least 1.</param>
internal sealed class SaidLately<TKey, TAnswer>(int limit, Func<TAnswer, int> weigh)
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, LinkedListNode<Entry>> _byKey = [];
    private readonly LinkedList<Entry> _byAge = new();
    private long _weight;

    /// <summary>Takes note, unless a later question has been answered already.</summary>
    /// <param name="key">What was asked.</param>
    /// <param name="answer">What was said.</param>
    /// <param name="askedAt">When; it may have changed since.</param>
    public void Add(TKey key, TAnswer answer, DateTimeOffset askedAt)
    {
        lock (_gate)
        {
            if (_byKey.TryGetValue(key, out var known) && known.Value.AskedAt > askedAt)
            {
                return;
            }

            RemoveCore(key);
            var entry = new Entry(key, answer, askedAt, weigh(answer));
            _byKey[key] = _byAge.AddLast(entry);
            _weight += entry.Weight;
            while (_weight > limit)
            {
                RemoveCore(_byAge.First!.Value.Key);
            }
        }
    }

    public bool TryFind(TKey key, [MaybeNullWhen(false)] out TAnswer answer, out DateTimeOffset askedAt)
    {
        lock (_gate)
        {
            var found = _byKey.TryGetValue(key, out var node);
            (answer, askedAt) = found ? (node!.Value.Answer, node.Value.AskedAt) : default;
            return found;
        }
    }

    public void Remove(TKey key)
    {
        lock (_gate)
        {
            RemoveCore(key);
        }
    }

    public void RemoveWhere(Func<TKey, bool> matches)
    {
        lock (_gate)
        {
            foreach (var key in _byKey.Keys.Where(matches).ToList())
            {
                RemoveCore(key);
            }
        }
    }

    private void RemoveCore(TKey key)
    {
        if (_byKey.Remove(key, out var node))
        {
            _byAge.Remove(node);
            _weight -= node.Value.Weight;
        }
    }

    private sealed record Entry(TKey Key, TAnswer Answer, DateTimeOffset AskedAt, int Weight);
}
