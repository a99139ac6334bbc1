using System.Text.Json.Serialization;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>A manifest that is here.</summary>
internal sealed record StoredManifest(string MediaType, BlobRecord Blob)
{
    public Digest Digest => Blob.Digest;
}

/// <summary>A manifest, what it refers to, what that refers to in turn; and what of all that the repository's other manifests refer to as well.</summary>
internal sealed class ManifestTree
{
    private readonly BlobStore _blobs;
    private readonly Digest _root;
    private readonly Dictionary<Digest, IReadOnlyList<Digest>> _members = [];    // the manifests in it that are here
    private readonly HashSet<Digest> _contents;
    private readonly HashSet<Digest> _others = [];
    private readonly HashSet<Digest> _shared = [];

    /// <param name="blobs">Where manifests are read.</param>
    /// <param name="root">The manifest.</param>
    /// <param name="manifests">All of the repository's that are here.</param>
    public ManifestTree(BlobStore blobs, Digest root, IReadOnlyList<StoredManifest> manifests)
    {
        _blobs = blobs;
        _root = root;
        _contents = [root];
        var here = manifests.ToDictionary(manifest => manifest.Digest);
        var next = new Stack<Digest>(_contents);
        while (next.TryPop(out var digest))
        {
            if (here.TryGetValue(digest, out var manifest))
            {
                _members[digest] = Read(manifest);
                foreach (var content in _members[digest].Where(_contents.Add))
                {
                    next.Push(content);
                }
            }
        }

        Look(manifests);
    }

    /// <summary>The manifests in it, as far as they are here, and the first one.</summary>
    public IEnumerable<Digest> Manifests => _members.Keys.Append(_root);

    public bool IsManifest(Digest digest) => digest == _root || _members.ContainsKey(digest);

    /// <summary>Looks at those of the repository's manifests that have not been looked at yet.</summary>
    public void Look(IEnumerable<StoredManifest> manifests)
    {
        foreach (var manifest in manifests.Where(manifest => !_members.ContainsKey(manifest.Digest) && _others.Add(manifest.Digest)))
        {
            _shared.UnionWith(Read(manifest).Where(_contents.Contains));
        }
    }

    /// <summary>What the repository has no other reason to refer to.</summary>
    /// <param name="tagged">Manifests in the tree that tags point to.</param>
    /// <param name="withRoot">Whether the first manifest goes whatever leads to it.</param>
    public IReadOnlyList<Digest> FindUnneeded(IEnumerable<Digest> tagged, bool withRoot)
    {
        var needed = new HashSet<Digest>();
        var next = new Stack<Digest>(_shared.Concat(tagged).Where(digest => !withRoot || digest != _root));
        while (next.TryPop(out var digest))
        {
            if (needed.Add(digest) && _members.TryGetValue(digest, out var contents))
            {
                foreach (var content in contents)
                {
                    next.Push(content);
                }
            }
        }

        return [.. _contents.Except(needed)];
    }

    /// <summary>What a manifest refers to. One that can not be read keeps nothing: it has to come from upstream again, and with it what it says.</summary>
    private IReadOnlyList<Digest> Read(StoredManifest manifest)
    {
        try
        {
            using var blob = manifest.Blob.Size <= Manifest.MaxSize ? _blobs.TryOpen(manifest.Blob) : null;
            return blob is not null && Manifest.TryParse(blob.ReadWhole(), manifest.MediaType, manifest.Digest.Algorithm, out var read, out _)
                && read.View() is var view
                ? [.. view.Children.Concat(view.Blobs).Select(content => content.Digest)]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

[JsonSerializable(typeof(string[]))]
internal sealed partial class DigestsJson : JsonSerializerContext;
