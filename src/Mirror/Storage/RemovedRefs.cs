using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>What was taken out of a repository. It is no longer found there; whatever else refers to the content has it as before.</summary>
/// <param name="Digest">What the tag pointed to, or the manifest; null where it was everything.</param>
/// <param name="Tags">All that are gone.</param>
/// <param name="Manifests">How many are gone.</param>
public sealed record RemovedRefs(Digest? Digest, IReadOnlyList<Tag> Tags, int Manifests);
