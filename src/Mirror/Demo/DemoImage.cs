using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mirror.Oci;

namespace Mirror.Demo;

/// <summary>An OCI image made in memory: its layers are archives that a client could unpack, of content that does not compress.</summary>
internal sealed class DemoImage
{
    public const int Layers = 4;

    private const int LayerSize = 8 * 1024 * 1024;

    private DemoImage(RepositoryName repository, Manifest manifest, IReadOnlyDictionary<Digest, ReadOnlyMemory<byte>> blobs) =>
        (Repository, Manifest, Blobs) = (repository, manifest, blobs);

    public static Tag Tag { get; } = Tag.Parse("1.0");

    public RepositoryName Repository { get; }

    public Manifest Manifest { get; }

    /// <summary>Config and layers.</summary>
    public IReadOnlyDictionary<Digest, ReadOnlyMemory<byte>> Blobs { get; }

    /// <summary>Of all that a client pulls, in bytes.</summary>
    public long Size => Manifest.Content.Length + Blobs.Values.Sum(blob => (long)blob.Length);

    public override string ToString() => $"{Repository}:{Tag}";

    /// <param name="repository">Where it will be.</param>
    /// <param name="seed">Images of different seeds share nothing.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static DemoImage Create(string repository, int seed, CancellationToken cancellationToken)
    {
        var layers = Enumerable.Range(1, Layers)
            .AsParallel()
            .AsOrdered()
            .WithCancellation(cancellationToken)
            .Select(number => CreateLayer(number, unchecked((seed * Layers) + number)))
            .ToList();
        var config = ToBytes(new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Labels"] = new JsonObject { ["seed"] = $"{seed}" } },
            ["rootfs"] = new JsonObject
            {
                ["type"] = "layers",
                ["diff_ids"] = new JsonArray([.. layers.Select(layer => (JsonNode)layer.DiffId.ToString())]),
            },
        });
        var blobs = layers.Select(layer => layer.Content).Prepend(config).ToDictionary(content => Digest.Sha256(content.Span));
        return new DemoImage(RepositoryName.Parse(repository), CreateManifest(config, layers), blobs);
    }

    private static Manifest CreateManifest(ReadOnlyMemory<byte> config, IEnumerable<Layer> layers)
    {
        var content = ToBytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciManifest,
            ["config"] = ToJson(MediaTypes.OciConfig, config),
            ["layers"] = new JsonArray([.. layers.Select(layer => (JsonNode)ToJson(MediaTypes.OciLayerGzip, layer.Content))]),
        });
        return Manifest.TryParse(content, MediaTypes.OciManifest, DigestAlgorithm.Sha256, out var manifest, out var fault)
            ? manifest
            : throw new InvalidOperationException(fault);
    }

    private static Layer CreateLayer(int number, int seed)
    {
        var random = new byte[LayerSize];
        new Random(seed).NextBytes(random);
        using var tar = new MemoryStream(LayerSize + (64 * 1024));
        using (var writer = new TarWriter(tar, TarEntryFormat.Ustar, leaveOpen: true))
        {
            // The same bytes in every run, so the same digests: no time but the epoch.
            writer.WriteEntry(new UstarTarEntry(TarEntryType.Directory, "demo/") { ModificationTime = DateTimeOffset.UnixEpoch });
            writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"demo/layer-{number}")
            {
                ModificationTime = DateTimeOffset.UnixEpoch,
                DataStream = new MemoryStream(random),
            });
        }

        using var compressed = new MemoryStream(LayerSize + (64 * 1024));
        // Random bytes do not compress: to try takes time, and makes them larger.
        using (var gzip = new GZipStream(compressed, CompressionLevel.NoCompression, leaveOpen: true))
        {
            tar.WriteTo(gzip);
        }

        return new Layer(Digest.Sha256(Written(tar).Span), Written(compressed));
    }

    private static ReadOnlyMemory<byte> Written(MemoryStream stream) => stream.GetBuffer().AsMemory(0, (int)stream.Length);

    private static JsonObject ToJson(string mediaType, ReadOnlyMemory<byte> content) => new()
    {
        ["mediaType"] = mediaType,
        ["digest"] = Digest.Sha256(content.Span).ToString(),
        ["size"] = content.Length,
    };

    private static ReadOnlyMemory<byte> ToBytes(JsonObject json) => JsonSerializer.SerializeToUtf8Bytes(json);

    /// <param name="DiffId">The digest before compression (image spec, config.md, "Layer DiffID").</param>
    /// <param name="Content">A gzipped archive.</param>
    private sealed record Layer(Digest DiffId, ReadOnlyMemory<byte> Content);
}
