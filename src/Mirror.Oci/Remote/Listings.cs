using System.Text.Json;

namespace Mirror.Oci.Remote;

/// <summary>Reads the bodies and links of listings.</summary>
internal static class Listings
{
    /// <summary>The tags of a page, or null where the body is no list of tags. Names that are no tags are left out: they can not be pulled.</summary>
    public static IReadOnlyList<Tag>? ReadTags(ReadOnlyMemory<byte> body)
    {
        if (FindArray(body, "tags") is not { } names)
        {
            return null;
        }

        var tags = new List<Tag>(names.Count);
        foreach (var name in names)
        {
            if (Tag.TryParse(name, out var tag))
            {
                tags.Add(tag);
            }
        }

        return tags;
    }

    /// <summary>The repositories of a page, or null where the body is no list of them.</summary>
    public static IReadOnlyList<RepositoryName>? ReadRepositories(ReadOnlyMemory<byte> body)
    {
        if (FindArray(body, "repositories") is not { } names)
        {
            return null;
        }

        var repositories = new List<RepositoryName>(names.Count);
        foreach (var name in names)
        {
            if (RepositoryName.TryParse(name, out var repository))
            {
                repositories.Add(repository);
            }
        }

        return repositories;
    }

    /// <summary>The descriptors of a page of referrers, or null where the body is no index.</summary>
    public static IReadOnlyList<Descriptor>? ReadReferrers(ReadOnlyMemory<byte> body) =>
        Manifest.TryParse(body, MediaTypes.OciIndex, DigestAlgorithm.Sha256, out var index, out _) ? index.View().Children : null;

    /// <summary>
    /// Whether a <c>Link: &lt;…&gt;; rel="next"</c> header (RFC 8288) names another page, and where it is. A link that leaves the registry, as one
    /// behind a TLS proxy may, is not to be followed: the authorization would go with it.
    /// </summary>
    public static bool FindNext(HttpResponseMessage response, Uri page, RemoteRegistryOptions options, out PageLink? next)
    {
        next = null;
        var link = response.Headers.NonValidated.TryGetValues("Link", out var values) ? values.ToString() : "";
        var end = link.IndexOf('>', StringComparison.Ordinal);
        if (end < 0 || link[0] != '<' || !link.AsSpan(end).Contains("next", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        next = Uri.TryCreate(page, link[1..end], out var target) && Transport.IsOrigin(options, target) ? new PageLink(target) : null;
        return true;
    }

    /// <summary>The strings of an array in a JSON object. Registries answer <c>"tags": null</c> for a repository without tags.</summary>
    private static List<string>? FindArray(ReadOnlyMemory<byte> body, string name)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var array = document.RootElement.GetProperty(name);
            return array.ValueKind == JsonValueKind.Null
                ? []
                : [.. array.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Select(e => e.GetString()!)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }
}
