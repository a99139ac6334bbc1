namespace Mirror.Oci;

/// <summary>What refers to content (image spec, descriptor.md). <paramref name="Size"/> is in bytes.</summary>
public sealed record Descriptor(string MediaType, Digest Digest, long Size)
{
    public Platform? Platform { get; init; }

    public string? ArtifactType { get; init; }

    public IReadOnlyDictionary<string, string> Annotations { get; init; } = EmptyAnnotations;

    internal static IReadOnlyDictionary<string, string> EmptyAnnotations { get; } = new Dictionary<string, string>();
}
