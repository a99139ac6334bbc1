using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>A registry as a few dictionaries: what the distribution spec says, and nothing of how it is done.</summary>
internal sealed class ModelRegistry
{
    private readonly Dictionary<string, ModelRepository> _repositories = [];

    /// <summary>Of all repositories.</summary>
    public List<ModelUpload> Uploads { get; } = [];

    public ModelRepository this[string name] =>
        _repositories.TryGetValue(name, out var repository) ? repository : _repositories[name] = new ModelRepository();

    public bool IsAnywhere(Digest digest) => _repositories.Values.Any(repository => repository.Contents.ContainsKey(digest));
}

/// <summary>An upload in progress.</summary>
/// <param name="repository">Where it belongs.</param>
/// <param name="location">Where it goes on.</param>
internal sealed class ModelUpload(string repository, string location)
{
    public string Repository => repository;

    public string Location => location;

    public List<byte> Received { get; } = [];

    public bool IsOver { get; set; }

    public string Range => $"0-{Math.Max(0, Received.Count - 1)}";
}

internal sealed class ModelRepository
{
    /// <summary>Blobs and manifests. A manifest can be read as a blob, too.</summary>
    public Dictionary<Digest, TestBlob> Contents { get; } = [];

    public Dictionary<string, Digest> Tags { get; } = [];

    public bool IsManifest(Digest digest) => Contents.TryGetValue(digest, out var content) && MediaTypes.IsManifest(content.MediaType);

    public TestBlob? FindManifest(string reference)
    {
        var digest = Digest.TryParse(reference, out var given) ? given : Tags.TryGetValue(reference, out var tagged) ? tagged : (Digest?)null;
        return digest is { } known && IsManifest(known) ? Contents[known] : null;
    }

    /// <summary>A blob that was a manifest already stays one.</summary>
    public void AddBlob(TestBlob blob) => Contents.TryAdd(blob.Digest, blob);

    /// <returns>The status that pushing it has to have.</returns>
    public int Put(TestBlob manifest, IEnumerable<string> tags)
    {
        Assert.True(Manifest.TryParse(manifest.Content, manifest.MediaType, DigestAlgorithm.Sha256, out var parsed, out _));
        var view = parsed.View();
        if (view.Blobs.Any(blob => !Contents.ContainsKey(blob.Digest)))
        {
            return 400;
        }

        Contents[manifest.Digest] = manifest;
        foreach (var tag in tags)
        {
            Tags[tag] = manifest.Digest;
        }

        return 201;
    }

    /// <returns>Whether it was there.</returns>
    public bool DeleteManifest(string reference)
    {
        if (!Digest.TryParse(reference, out var digest))
        {
            return Tags.Remove(reference);
        }

        if (!IsManifest(digest))
        {
            return false;
        }

        foreach (var tag in Tags.Where(tag => tag.Value == digest).Select(tag => tag.Key).ToList())
        {
            Tags.Remove(tag);
        }

        return Contents.Remove(digest);
    }

    /// <returns>Whether it was there.</returns>
    public bool DeleteBlob(Digest digest) => !IsManifest(digest) && Contents.Remove(digest);

    /// <summary>In the order of their digests.</summary>
    public IEnumerable<string> Referrers(Digest subject) => Contents.Values
        .Where(content => MediaTypes.IsManifest(content.MediaType))
        .Where(content => Manifest.TryParse(content.Content, content.MediaType, DigestAlgorithm.Sha256, out var parsed, out _)
            && parsed.View().Subject?.Digest == subject)
        .Select(content => $"{content.Digest}")
        .Order(StringComparer.Ordinal);
}
