using System.Text.Json;

namespace Mirror.Oci;

/// <summary>A fault found deep inside a manifest, on its way to <see cref="Manifest.TryParse"/>.</summary>
internal sealed class ManifestFaultException(string message) : Exception(message);

/// <summary>Turns a manifest's JSON into its view, strict in what the specification requires and blind to everything else.</summary>
internal static class ManifestReader
{
    /// <param name="root">The whole document.</param>
    /// <param name="contentType">What it was served as, if that was said.</param>
    /// <exception cref="ManifestFaultException">It can not be used.</exception>
    public static ManifestView Read(JsonElement root, string? contentType)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new ManifestFaultException("the manifest is not a JSON object");
        }

        if (OptionalInteger(root, "schemaVersion") != 2)
        {
            throw new ManifestFaultException(OptionalInteger(root, "schemaVersion") == 1
                ? "the manifest is Docker schema 1, which is no longer supported: push the image again with a current client"
                : "the manifest's schemaVersion is not 2");
        }

        var view = new ManifestView(MediaTypeOf(root, contentType))
        {
            Subject = OptionalDescriptor(root, "subject"),
            ArtifactType = OptionalString(root, "artifactType"),
            Annotations = Annotations(root),
        };
        return view.IsIndex
            ? view with { Children = Descriptors(root, "manifests") }
            : view with
            {
                Config = OptionalDescriptor(root, "config") ?? throw new ManifestFaultException("the manifest has no config"),
                Layers = Descriptors(root, "layers"),
            };
    }

    /// <summary>The header and the manifest's own <c>mediaType</c> must agree; one of them is enough; without both the shape decides.</summary>
    private static string MediaTypeOf(JsonElement root, string? contentType)
    {
        var header = contentType is null ? null : MediaTypes.WithoutParameters(contentType);
        if (header is MediaTypes.DockerSchema1 or MediaTypes.DockerSchema1Signed)
        {
            throw new ManifestFaultException("the manifest is Docker schema 1, which is no longer supported");
        }

        // "application/json", "text/plain" and the like come from servers that do not know what they serve.
        var served = header is not null && MediaTypes.IsManifest(header) ? header : null;
        var own = OptionalString(root, "mediaType");
        if (own is not null && !MediaTypes.IsManifest(own))
        {
            throw new ManifestFaultException($"'{own}' is not a media type of a manifest");
        }

        if (own is not null && served is not null && own != served)
        {
            throw new ManifestFaultException($"the manifest says that it is '{own}' but was served as '{served}'");
        }

        return own ?? served ?? (root.TryGetProperty("manifests", out _) ? MediaTypes.OciIndex : MediaTypes.OciManifest);
    }

    private static List<Descriptor> Descriptors(JsonElement parent, string name)
    {
        // Go writes an empty list that was never made as null.
        if (parent.TryGetProperty(name, out var array) && array.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        if (array.ValueKind != JsonValueKind.Array)
        {
            throw new ManifestFaultException($"the manifest has no array '{name}'");
        }

        var descriptors = new List<Descriptor>(array.GetArrayLength());
        foreach (var element in array.EnumerateArray())
        {
            descriptors.Add(ReadDescriptor(element, name));
        }

        return descriptors;
    }

    private static Descriptor? OptionalDescriptor(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var element) && element.ValueKind != JsonValueKind.Null ? ReadDescriptor(element, name) : null;

    private static Descriptor ReadDescriptor(JsonElement element, string place)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new ManifestFaultException($"a descriptor in '{place}' is not an object");
        }

        var mediaType = OptionalString(element, "mediaType");
        if (string.IsNullOrEmpty(mediaType))
        {
            throw new ManifestFaultException($"a descriptor in '{place}' has no mediaType");
        }

        if (!Digest.TryParse(OptionalString(element, "digest"), out var digest))
        {
            throw new ManifestFaultException($"a descriptor in '{place}' has no valid sha256 or sha512 digest");
        }

        if (OptionalInteger(element, "size") is not (>= 0 and var size))
        {
            throw new ManifestFaultException($"the descriptor of {digest} in '{place}' has no valid size");
        }

        return new Descriptor(mediaType, digest, size)
        {
            Platform = OptionalPlatform(element),
            ArtifactType = OptionalString(element, "artifactType"),
            Annotations = Annotations(element),
        };
    }

    private static Platform? OptionalPlatform(JsonElement descriptor) =>
        descriptor.TryGetProperty("platform", out var platform) && platform.ValueKind == JsonValueKind.Object
            && OptionalString(platform, "os") is { } os && OptionalString(platform, "architecture") is { } architecture
            ? new Platform(os, architecture, OptionalString(platform, "variant"))
            : null;

    private static IReadOnlyDictionary<string, string> Annotations(JsonElement parent)
    {
        if (!parent.TryGetProperty("annotations", out var annotations) || annotations.ValueKind != JsonValueKind.Object)
        {
            return Descriptor.EmptyAnnotations;
        }

        var read = new Dictionary<string, string>();
        foreach (var annotation in annotations.EnumerateObject().Where(a => a.Value.ValueKind == JsonValueKind.String))
        {
            read[annotation.Name] = annotation.Value.GetString()!;
        }

        return read;
    }

    private static string? OptionalString(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? OptionalInteger(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var integer)
            ? integer
            : null;
}
