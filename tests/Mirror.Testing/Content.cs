using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>What a fake registry holds.</summary>
internal sealed class Content
{
    private readonly Lock _lock = new();
    private readonly Dictionary<RepositoryName, Repository> _repositories = [];

    public IReadOnlyList<string> Repositories
    {
        get
        {
            lock (_lock)
            {
                return [.. _repositories.Keys.Select(name => name.ToString()).Order(StringComparer.Ordinal)];
            }
        }
    }

    public void AddBlob(RepositoryName name, TestBlob blob) => Change(name, repository => repository.Blobs[blob.Digest] = blob);

    public void AddManifest(RepositoryName name, TestBlob manifest) =>
        Change(name, repository => repository.Manifests[manifest.Digest] = manifest);

    public void Tag(RepositoryName name, string tag, Digest digest) => Change(name, repository => repository.Tags[tag] = digest);

    public void Untag(RepositoryName name, string tag) => Change(name, repository => repository.Tags.Remove(tag));

    public void Remove(RepositoryName name, Digest digest) => Change(name, repository =>
    {
        repository.Blobs.Remove(digest);
        repository.Manifests.Remove(digest);
        foreach (var tag in repository.Tags.Where(tag => tag.Value == digest).Select(tag => tag.Key).ToList())
        {
            repository.Tags.Remove(tag);
        }
    });

    public TestBlob? FindBlob(RepositoryName name, Digest digest) => Read(name, repository => repository.Blobs.GetValueOrDefault(digest));

    public TestBlob? FindManifest(RepositoryName name, Reference reference) => Read(name, repository =>
        (reference.Digest ?? FindTag(repository, reference)) is { } digest ? repository.Manifests.GetValueOrDefault(digest) : null);

    /// <summary>In the order of the alphabet; null where there is no such repository.</summary>
    public IReadOnlyList<string>? FindTags(RepositoryName name) =>
        Read(name, repository => (IReadOnlyList<string>?)[.. repository.Tags.Keys.Order(StringComparer.Ordinal)]);

    /// <summary>The descriptors of the manifests whose subject this is.</summary>
    public IReadOnlyList<Descriptor> Referrers(RepositoryName name, Digest subject) =>
        Read(name, repository => repository.Manifests.Values.Select(blob => AsReferrerOf(subject, blob)).OfType<Descriptor>().ToList()) ?? [];

    private static Descriptor? AsReferrerOf(Digest subject, TestBlob blob) =>
        Manifest.TryParse(blob.Content, blob.MediaType, blob.Digest.Algorithm, out var manifest, out _)
            && manifest.View() is var view && view.Subject?.Digest == subject
            ? new Descriptor(blob.MediaType, blob.Digest, blob.Size)
            {
                ArtifactType = view.ArtifactType ?? view.Config?.MediaType,
                Annotations = view.Annotations,
            }
            : null;

    private static Digest? FindTag(Repository repository, Reference reference) =>
        repository.Tags.TryGetValue(reference.ToString(), out var digest) ? digest : null;

    private T? Read<T>(RepositoryName name, Func<Repository, T?> read)
    {
        lock (_lock)
        {
            return _repositories.TryGetValue(name, out var repository) ? read(repository) : default;
        }
    }

    private void Change(RepositoryName name, Action<Repository> change)
    {
        lock (_lock)
        {
            if (!_repositories.TryGetValue(name, out var repository))
            {
                _repositories[name] = repository = new Repository();
            }

            change(repository);
        }
    }

    private sealed class Repository
    {
        public Dictionary<Digest, TestBlob> Blobs { get; } = [];

        public Dictionary<Digest, TestBlob> Manifests { get; } = [];

        public Dictionary<string, Digest> Tags { get; } = [];
    }
}
