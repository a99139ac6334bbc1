using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// The manifests asked for last, up to a number of bytes. A manifest never changes under its digest, and an entry is per repository: who
/// finds one has the right to it.
/// </summary>
internal sealed class ManifestMemory(long limit)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(RepositoryKey, Digest), LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = new();
    private long _size;

    public Manifest? Find(RepositoryKey repository, Digest digest)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue((repository, digest), out var node))
            {
                return null;
            }

            _byUse.Remove(node);
            _byUse.AddFirst(node);
            return node.Value.Manifest;
        }
    }

    public void Add(RepositoryKey repository, Manifest manifest)
    {
        lock (_gate)
        {
            if (manifest.Content.Length > limit || _entries.ContainsKey((repository, manifest.Digest)))
            {
                return;
            }

            _entries[(repository, manifest.Digest)] = _byUse.AddFirst(new Entry(repository, manifest));
            _size += manifest.Content.Length;
            while (_size > limit)
            {
                Remove(_byUse.Last!);
            }
        }
    }

    /// <summary>Forgets all of a repository's.</summary>
    public void RemoveOf(RepositoryKey repository)
    {
        lock (_gate)
        {
            foreach (var node in _entries.Values.Where(node => node.Value.Repository == repository).ToList())
            {
                Remove(node);
            }
        }
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _entries.Remove((node.Value.Repository, node.Value.Manifest.Digest));
        _size -= node.Value.Manifest.Content.Length;
    }

    private sealed record Entry(RepositoryKey Repository, Manifest Manifest);
}
