using Mirror.Oci;

namespace Mirror.Caching;

/// <summary>What a request wants of a repository.</summary>
public abstract record RepositoryContent
{
    private RepositoryContent()
    {
    }

    public sealed record OfManifest(Reference Reference) : RepositoryContent;

    public sealed record OfBlob(Digest Digest) : RepositoryContent;

    public sealed record OfTags : RepositoryContent;
}
