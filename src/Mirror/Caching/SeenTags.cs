using System.Diagnostics.CodeAnalysis;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// Where tags point whose manifests are not here: what HEADs have found out, until somebody fetches the manifest. Kept apart from the cached
/// tags, which must go on pointing to what can be served when upstream is down.
/// </summary>
internal sealed class SeenTags
{
    /// <summary>A tag that somebody only looks at is worth a few bytes, but not without end.</summary>
    private const int Limit = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<(RepositoryKey, Tag), (Descriptor Descriptor, DateTimeOffset SaidAt)> _byTag = [];
    private readonly Dictionary<(RepositoryKey, Digest), HashSet<Tag>> _byDigest = [];

    /// <summary>Takes note, unless a later question has been answered already.</summary>
    public void Add(RepositoryKey repository, TagSighting tag, Descriptor descriptor)
    {
        lock (_gate)
        {
            if (_byTag.TryGetValue((repository, tag.Tag), out var known) && known.SaidAt > tag.SaidAt)
            {
                return;
            }

            if (_byTag.Count >= Limit)
            {
                _byTag.Clear();
                _byDigest.Clear();
            }

            RemoveCore(repository, tag.Tag);
            _byTag[(repository, tag.Tag)] = (descriptor, tag.SaidAt);
            if (!_byDigest.TryGetValue((repository, descriptor.Digest), out var tags))
            {
                _byDigest[(repository, descriptor.Digest)] = tags = [];
            }

            tags.Add(tag.Tag);
        }
    }

    public bool TryFind(RepositoryKey repository, Tag tag, [NotNullWhen(true)] out Descriptor? descriptor, out DateTimeOffset saidAt)
    {
        lock (_gate)
        {
            var found = _byTag.TryGetValue((repository, tag), out var seen);
            (descriptor, saidAt) = found ? seen : default;
            return found;
        }
    }

    public void Remove(RepositoryKey repository, Tag tag)
    {
        lock (_gate)
        {
            RemoveCore(repository, tag);
        }
    }

    public void RemoveOf(RepositoryKey repository)
    {
        lock (_gate)
        {
            foreach (var (_, tag) in _byTag.Keys.Where(key => key.Item1 == repository).ToList())
            {
                RemoveCore(repository, tag);
            }
        }
    }

    /// <summary>The tags that were seen to point to a manifest, which is here now: they are no longer only seen.</summary>
    public IReadOnlyList<TagSighting> TakePointingTo(RepositoryKey repository, Digest digest)
    {
        lock (_gate)
        {
            if (!_byDigest.Remove((repository, digest), out var tags))
            {
                return [];
            }

            return [.. tags.Where(tag => _byTag.ContainsKey((repository, tag))).Select(tag =>
            {
                _byTag.Remove((repository, tag), out var seen);
                return new TagSighting(tag, seen.SaidAt);
            })];
        }
    }

    private void RemoveCore(RepositoryKey repository, Tag tag)
    {
        if (_byTag.Remove((repository, tag), out var seen) && _byDigest.TryGetValue((repository, seen.Descriptor.Digest), out var tags))
        {
            tags.Remove(tag);
            if (tags.Count == 0)
            {
                _byDigest.Remove((repository, seen.Descriptor.Digest));
            }
        }
    }
}
