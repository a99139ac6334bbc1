using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>An image whose manifest a client has read.</summary>
/// <param name="Repository">Through which.</param>
/// <param name="Digest">The manifest's.</param>
/// <param name="Layers">Those that registries have; none for an image that is not to be completed.</param>
internal sealed record ReadImage(RepositoryKey Repository, Digest Digest, IReadOnlyList<Digest> Layers);

/// <summary>
/// The images whose manifests clients have read lately, by their layers. A layer of several leads to the one whose manifest was read last:
/// a pull reads its layers right after it. Bounded: what was read longest ago goes first.
/// </summary>
/// <param name="limit">Of the sum of all images' layers, and one more for each image.</param>
internal sealed class ImagesRead(int limit)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(RepositoryKey, Digest), LinkedListNode<Entry>> _byManifest = [];
    private readonly Dictionary<(RepositoryKey, Digest), Entry> _byLayer = [];
    private readonly LinkedList<Entry> _byUse = new();
    private int _weight;

    /// <summary>It has been read again.</summary>
    /// <returns>Whether it is remembered at all.</returns>
    public bool TryTouch(RepositoryKey repository, Digest manifest)
    {
        lock (_gate)
        {
            if (!_byManifest.TryGetValue((repository, manifest), out var node))
            {
                return false;
            }

            // All of the last one's layers lead to it already.
            if (_byUse.First != node)
            {
                _byUse.Remove(node);
                _byUse.AddFirst(node);
                LeadTo(node.Value);
            }

            return true;
        }
    }

    public void Add(ReadImage image)
    {
        lock (_gate)
        {
            RemoveCore(image.Repository, image.Digest);
            var entry = new Entry(image);
            _byManifest[(image.Repository, image.Digest)] = _byUse.AddFirst(entry);
            LeadTo(entry);
            _weight += entry.Weight;
            while (_weight > limit)
            {
                var oldest = _byUse.Last!.Value.Image;
                RemoveCore(oldest.Repository, oldest.Digest);
            }
        }
    }

    /// <summary>The image that a layer is being read for; each is given once.</summary>
    public ReadImage? TakeByLayer(RepositoryKey repository, Digest layer)
    {
        lock (_gate)
        {
            if (!_byLayer.TryGetValue((repository, layer), out var entry) || entry.IsTaken)
            {
                return null;
            }

            entry.IsTaken = true;
            return entry.Image;
        }
    }

    /// <summary>It may be taken once more when its manifest has been read again.</summary>
    public void Forget(ReadImage image)
    {
        lock (_gate)
        {
            RemoveCore(image.Repository, image.Digest);
        }
    }

    public void RemoveOf(RepositoryKey repository)
    {
        lock (_gate)
        {
            foreach (var (_, digest) in _byManifest.Keys.Where(key => key.Item1 == repository).ToList())
            {
                RemoveCore(repository, digest);
            }
        }
    }

    private void LeadTo(Entry entry)
    {
        foreach (var layer in entry.Image.Layers)
        {
            _byLayer[(entry.Image.Repository, layer)] = entry;
        }
    }

    private void RemoveCore(RepositoryKey repository, Digest manifest)
    {
        if (!_byManifest.Remove((repository, manifest), out var node))
        {
            return;
        }

        _byUse.Remove(node);
        _weight -= node.Value.Weight;
        foreach (var layer in node.Value.Image.Layers.Where(layer => _byLayer.GetValueOrDefault((repository, layer)) == node.Value))
        {
            _byLayer.Remove((repository, layer));
        }
    }

    private sealed class Entry(ReadImage image)
    {
        public ReadImage Image => image;

        public int Weight => 1 + image.Layers.Count;

        public bool IsTaken { get; set; }
    }
}
