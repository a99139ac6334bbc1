using System.Diagnostics.CodeAnalysis;
using Mirror.Access;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Registry;
using Mirror.Storage;

namespace Mirror.Administration;

/// <summary>Which repository a command means by an image's name: the one that a client's request with that name would reach.</summary>
internal sealed class ImagePlaces(Doors doors)
{
    public const string NotConfigured = "the name belongs to no configured registry";

    /// <param name="image">As it was given.</param>
    /// <param name="repository">Where it is, if the answer is true.</param>
    /// <param name="why">Why it can not be had through this mirror otherwise, for people.</param>
    public bool TryFind(
        ImageName image, [NotNullWhen(true)] out UpstreamRepository? repository, [NotNullWhen(false)] out string? why)
    {
        var place = doors.Find(image);
        repository = (place as Place.Elsewhere)?.Repository;
        why = place is Place.Own ? "the name is one of this registry's own, which has no upstream"
            : repository is null ? NotConfigured
            : ReadAccess.FindNotAllowed(repository)?.Why;
        return why is null;
    }

    /// <summary>The repository, ours or an upstream's, or null where the name belongs to no configured registry.</summary>
    public RepositoryKey? Find(ImageName image) => doors.Find(image) switch
    {
        Place.Own(var name) => RepositoryKey.Local(name),
        Place.Elsewhere(var repository) => repository.Key,
        _ => null,
    };

    /// <summary>
    /// What tells the full names of those tags that an image's name means: one, or all of a repository where it says no tag. Null
    /// where it is no such name.
    /// </summary>
    public Func<string, bool>? FindNamed(string text)
    {
        if (!ImageName.TryParse(text, out var image) || image.Reference.Tag is not { } tag || Find(image) is not { } repository)
        {
            return null;
        }

        var name = $"{repository}:{(image.SaysReference ? tag : "")}";
        return image.SaysReference
            ? full => full == name
            : full => full.StartsWith(name, StringComparison.Ordinal);
    }
}
