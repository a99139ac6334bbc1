using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Bench;

/// <summary>What is pulled: one image of small layers, whose manifest is as large as most are, and large blobs.</summary>
internal sealed class Content
{
    public const string Repository = "library/bench";
    public const string Tag = "latest";
    public const string ManifestType = "application/vnd.oci.image.manifest.v1+json";

    private readonly byte[] _large;
    private int _stamp;

    public Content(int largeSize)
    {
        _large = new byte[largeSize];
        new Random(1).NextBytes(_large);
        var config = Encoding.UTF8.GetBytes("""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}""");
        var layers = Enumerable.Range(0, 8).Select(i => Encoding.UTF8.GetBytes($"layer {i}")).ToList();
        Small = [config, .. layers];
        Manifest = Encoding.UTF8.GetBytes($$"""
            {"schemaVersion":2,"mediaType":"{{ManifestType}}","config":{{Describe("application/vnd.oci.image.config.v1+json", config)}},
            "layers":[{{string.Join(",\n", layers.Select(layer => Describe("application/vnd.oci.image.layer.v1.tar+gzip", layer)))}}]}
            """);
    }

    public byte[] Manifest { get; }

    /// <summary>The blobs that the manifest refers to.</summary>
    public IReadOnlyList<byte[]> Small { get; }

    public static string DigestOf(ReadOnlySpan<byte> content) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(content))}";

    public static string BlobPath(string digest) => $"/v2/{Repository}/blobs/{digest}";

    public static string ManifestPath(string reference) => $"/v2/{Repository}/manifests/{reference}";

    /// <summary>A large blob that nobody has seen. The array is the same each time.</summary>
    public byte[] NextLarge()
    {
        BitConverter.TryWriteBytes(_large, ++_stamp);
        return _large;
    }

    /// <summary>Writes content where nginx serves it.</summary>
    public static void Write(string files, string path, byte[] content)
    {
        var file = files + path;
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, content);
    }

    /// <summary>Pushes a blob to a registry, in one piece.</summary>
    public static async Task PushAsync(HttpClient http, IPEndPoint registry, byte[] content, CancellationToken stopping)
    {
        using var begun = await http.PostAsync(new Uri($"http://{registry}/v2/{Repository}/blobs/uploads/"), content: null, stopping);
        begun.EnsureSuccessStatusCode();
        var location = begun.Headers.Location!.ToString();
        var separator = location.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        using var body = new ByteArrayContent(content);
        body.Headers.Add("Content-Type", "application/octet-stream");
        using var done = await http.PutAsync(new Uri($"{location}{separator}digest={DigestOf(content)}"), body, stopping);
        done.EnsureSuccessStatusCode();
    }

    public async Task PushImageAsync(HttpClient http, IPEndPoint registry, CancellationToken stopping)
    {
        foreach (var blob in Small)
        {
            await PushAsync(http, registry, blob, stopping);
        }

        using var body = new ByteArrayContent(Manifest);
        body.Headers.Add("Content-Type", ManifestType);
        using var done = await http.PutAsync(new Uri($"http://{registry}{ManifestPath(Tag)}"), body, stopping);
        done.EnsureSuccessStatusCode();
    }

    private static string Describe(string mediaType, byte[] content) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"mediaType":"{{mediaType}}","digest":"{{DigestOf(content)}}","size":{{content.Length}}}""");
}
