namespace Mirror.Adoption;

/// <summary>Something that was not taken over.</summary>
/// <param name="What">An image, a digest, or a path in the other registry's directory.</param>
/// <param name="Why">For people.</param>
public sealed record LeftOut(string What, string Why);

/// <summary>A repository that was taken over; in a dry run, that would be.</summary>
/// <param name="Repository">Its name here.</param>
/// <param name="Tags">How many point to what was taken over.</param>
/// <param name="Manifests">How many were taken over or were here already.</param>
/// <param name="New">How many of these were not here.</param>
public sealed record AdoptedRepository(string Repository, int Tags, int Manifests, int New);

/// <summary>How it stands with the blobs.</summary>
/// <param name="Blobs">How many are done, in whatever way.</param>
/// <param name="TotalBlobs">How many there are.</param>
/// <param name="Bytes">How much of them was verified, or was here.</param>
/// <param name="TotalBytes">All of them.</param>
public sealed record AdoptionProgress(long Blobs, long TotalBlobs, long Bytes, long TotalBytes);

/// <summary>Something to tell while content is taken over; one of them is set.</summary>
internal sealed record AdoptionNews(LeftOut? LeftOut = null, AdoptedRepository? Repository = null, AdoptionProgress? Progress = null);

/// <summary>What came of the blobs that repositories have; manifests are not counted. Content that several have counts once.</summary>
/// <param name="Linked">How many have their bytes in common with the other registry's files.</param>
/// <param name="LinkedBytes">The room that this saves.</param>
/// <param name="Copied">How many were copied.</param>
/// <param name="CopiedBytes">The room that this took.</param>
/// <param name="AlreadyHere">How many were here.</param>
/// <param name="AlreadyHereBytes">The same, in bytes.</param>
public sealed record AdoptedBlobs(long Linked, long LinkedBytes, long Copied, long CopiedBytes, long AlreadyHere, long AlreadyHereBytes);
