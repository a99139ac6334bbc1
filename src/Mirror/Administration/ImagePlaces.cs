using System.Diagnostics.CodeAnalysis;
using Mirror.Access;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Registry;

namespace Mirror.Administration;

/// <summary>Which repository a command means by an image's name: the one that a client's request with that name would reach.</summary>
internal sealed class ImagePlaces(Doors doors)
{
    /// <param name="image">As it was given.</param>
    /// <param name="repository">Where it is, if the answer is true.</param>
    /// <param name="why">Why it can not be had through this mirror otherwise, for people.</param>
    public bool TryFind(
        ImageName image, [NotNullWhen(true)] out UpstreamRepository? repository, [NotNullWhen(false)] out string? why)
    {
        repository = doors.Find(image);
        why = repository is null ? "the name belongs to no configured registry" : ReadAccess.FindNotAllowed(repository)?.Why;
        return why is null;
    }
}
