using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>Which children of an index a job copies.</summary>
public sealed class PlatformSelector(IReadOnlyList<Platform> platforms)
{
    /// <summary>What BuildKit writes on an attestation in an index: the image that it is about.</summary>
    private const string AttestationSubject = "vnd.docker.reference.digest";

    /// <summary>
    /// The children for the platforms, those that are for no platform, and attestations of these. All where no platform is named; none
    /// where no image is for any of them.
    /// </summary>
    public IReadOnlyList<Descriptor> Select(IReadOnlyList<Descriptor> children)
    {
        if (platforms.Count == 0)
        {
            return children;
        }

        var images = children.Where(child => child.Platform is { } platform && platforms.Any(wanted => wanted.Includes(platform)))
            .Select(child => child.Digest).ToHashSet();
        return images.Count == 0 && children.Any(child => child.Platform is not null) ? [] : [.. children.Where(child =>
            images.Contains(child.Digest)
            || (FindSubject(child) is { } subject ? images.Contains(subject) : child.Platform is null))];
    }

    private static Digest? FindSubject(Descriptor child) =>
        child.Annotations.TryGetValue(AttestationSubject, out var text) && Digest.TryParse(text, out var digest) ? digest : null;
}
