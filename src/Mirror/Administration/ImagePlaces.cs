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

    /// <summary>
    /// What tells the full names of those tags that an image's name means: one, or all of a repository where it says no tag. Null
    /// where it is no such name.
    /// </summary>
    public Func<string, bool>? FindNamed(string text)
    {
        if (!ImageName.TryParse(text, out var image) || image.Reference.Tag is not { } tag || doors.Find(image) is not { } repository)
        {
            return null;
        }

        var saysTag = text.LastIndexOf(':') > text.LastIndexOf('/');
        var name = $"{repository.Key}:{(saysTag ? tag : "")}";
        return saysTag
            ? full => full == name
            : full => full.StartsWith(name, StringComparison.Ordinal);
    }
}
