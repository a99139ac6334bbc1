using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Mirror.Oci;

/// <summary>
/// A manifest or index: the exact bytes that its digest is the digest of, which are what is stored and served. <see cref="View"/> reads what
/// they say; it is never written back, and not kept, because it is many times larger than the bytes.
/// </summary>
public sealed class Manifest
{
    /// <summary>The largest manifest that is read, in bytes; the distribution spec asks registries to accept this much.</summary>
    public const int MaxSize = 4 * 1024 * 1024;

    private Manifest(ReadOnlyMemory<byte> content, string mediaType, Digest digest)
    {
        Content = content;
        MediaType = mediaType;
        Digest = digest;
    }

    public ReadOnlyMemory<byte> Content { get; }

    /// <summary>One of <see cref="MediaTypes.Manifests"/>.</summary>
    public string MediaType { get; }

    public Digest Digest { get; }

    public Descriptor Descriptor => new(MediaType, Digest, Content.Length);

    /// <summary>Parses the bytes, each time anew.</summary>
    public ManifestView View()
    {
        using var document = JsonDocument.Parse(Content);
        return ManifestReader.Read(document.RootElement, MediaType);
    }

    /// <summary>Reads a manifest of at most <see cref="MaxSize"/> bytes. Its digest is computed, never believed.</summary>
    /// <param name="content">The bytes as they arrived; kept, not copied.</param>
    /// <param name="contentType">The Content-Type header, if there was one. A <c>mediaType</c> in the manifest wins where the header is generic.</param>
    /// <param name="algorithm">The algorithm of the digest it is asked for by.</param>
    /// <param name="manifest">The manifest, if the answer is true.</param>
    /// <param name="fault">What is wrong with it otherwise, for a person to read.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> content,
        string? contentType,
        DigestAlgorithm algorithm,
        [NotNullWhen(true)] out Manifest? manifest,
        [NotNullWhen(false)] out string? fault)
    {
        manifest = null;
        if (content.Length > MaxSize)
        {
            fault = $"the manifest is larger than {MaxSize} bytes";
            return false;
        }

        try
        {
            using var document = JsonDocument.Parse(content, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var view = ManifestReader.Read(document.RootElement, contentType);
            manifest = new Manifest(content, view.MediaType, Digest.Of(algorithm, content.Span));
            fault = null;
            return true;
        }
        // A lone surrogate in a string is valid JSON text that has no value in UTF-16: reading it is an InvalidOperationException.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            fault = $"the manifest is not valid JSON: {e.Message}";
        }
        catch (ManifestFaultException e)
        {
            fault = e.Message;
        }

        return false;
    }
}

/// <summary>What a manifest says (image spec, manifest.md and image-index.md).</summary>
public sealed record ManifestView(string MediaType)
{
    public bool IsIndex => MediaTypes.IsIndex(MediaType);

    /// <summary>An image's configuration; null for an index.</summary>
    public Descriptor? Config { get; init; }

    /// <summary>An image's layers, the base first; empty for an index.</summary>
    public IReadOnlyList<Descriptor> Layers { get; init; } = [];

    /// <summary>An index's children; empty for an image.</summary>
    public IReadOnlyList<Descriptor> Children { get; init; } = [];

    /// <summary>The manifest that this one refers to, as a signature or SBOM does.</summary>
    public Descriptor? Subject { get; init; }

    public string? ArtifactType { get; init; }

    public IReadOnlyDictionary<string, string> Annotations { get; init; } = Descriptor.EmptyAnnotations;

    /// <summary>The blobs that an image consists of: its config and layers, foreign ones included.</summary>
    public IEnumerable<Descriptor> Blobs => Config is null ? Layers : Layers.Prepend(Config);
}
