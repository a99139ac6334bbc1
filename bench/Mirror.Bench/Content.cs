using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Bench;

/// <summary>What is pulled: one image of small layers, whose manifest is as large as most are, and large blobs.</summary>
internal sealed class Content
{
    public const string Repository = "library/bench";
    public const string Tag = "latest";

    private readonly byte[] _large;
    private int _stamp;

    public Content(int largeSize)
    {
        _large = new byte[largeSize];
        new Random(1).NextBytes(_large);
        Image = Image.Of([.. Enumerable.Range(0, 8).Select(i => Encoding.UTF8.GetBytes($"layer {i}"))], "bench");
    }

    /// <summary>What is pulled by its tag.</summary>
    public Image Image { get; }

    public static string DigestOf(ReadOnlySpan<byte> content) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(content))}";

    /// <summary>Of some content, several times over.</summary>
    public static string DigestOf(ReadOnlySpan<byte> content, int times)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var i = 0; i < times; i++)
        {
            hash.AppendData(content);
        }

        return $"sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }

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
        foreach (var blob in Image.Blobs)
        {
            await PushAsync(http, registry, blob, stopping);
        }

        using var body = new ByteArrayContent(Image.Manifest);
        body.Headers.Add("Content-Type", Image.ManifestType);
        using var done = await http.PutAsync(new Uri($"http://{registry}{ManifestPath(Tag)}"), body, stopping);
        done.EnsureSuccessStatusCode();
    }
}
