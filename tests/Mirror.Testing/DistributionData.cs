using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>A data directory as CNCF Distribution writes it, and as nobody should.</summary>
public sealed class DistributionData : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    public DistributionData() => Directory.CreateDirectory(Combine("repositories"));

    /// <summary>The registry's root directory.</summary>
    public string Path => _folder.Path;

    /// <summary>A path in <c>docker/registry/v2</c>.</summary>
    public string Combine(params IEnumerable<string> parts) => System.IO.Path.Combine([_folder.Path, "docker", "registry", "v2", .. parts]);

    public string BlobFile(Digest digest) => Combine("blobs", AlgorithmOf(digest), digest.Hex[..2], digest.Hex, "data");

    /// <summary>An image with all that belongs to it.</summary>
    public void Add(string repository, TestImage image, params IReadOnlyList<string> tags)
    {
        foreach (var blob in image.Blobs)
        {
            AddBlob(repository, blob);
        }

        AddManifest(repository, image.Manifest, tags);
    }

    public void Add(string repository, TestIndex index, params IReadOnlyList<string> tags)
    {
        foreach (var image in index.Images)
        {
            Add(repository, image);
        }

        AddManifest(repository, index.Manifest, tags);
    }

    public void AddBlob(string repository, TestBlob blob)
    {
        WriteContent(blob);
        Write(blob.Digest.ToString(), LinkFile(repository, "_layers", blob.Digest));
    }

    public void AddManifest(string repository, TestBlob manifest, params IReadOnlyList<string> tags)
    {
        WriteContent(manifest);
        Write(manifest.Digest.ToString(), RevisionFile(repository, manifest.Digest));
        foreach (var tag in tags)
        {
            Write(manifest.Digest.ToString(), TagFile(repository, tag));
        }
    }

    public void WriteContent(TestBlob blob)
    {
        var file = BlobFile(blob.Digest);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, blob.Content.Span);
    }

    public string LayerFile(string repository, Digest digest) => LinkFile(repository, "_layers", digest);

    public string RevisionFile(string repository, Digest digest) => LinkFile(repository, System.IO.Path.Combine("_manifests", "revisions"), digest);

    public string TagFile(string repository, string tag) => Combine("repositories", repository, "_manifests", "tags", tag, "current", "link");

    public static void Write(string content, string file)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
    }

    /// <summary>Changes a file's bytes, not its length.</summary>
    public void Damage(Digest digest)
    {
        var content = File.ReadAllBytes(BlobFile(digest));
        content[content.Length / 2] ^= 1;
        File.WriteAllBytes(BlobFile(digest), content);
    }

    /// <summary>All that is there, with all that a reader must not change.</summary>
    public IReadOnlyList<string> Listing() => Listing(_folder.Path);

    /// <summary>The same of any folder.</summary>
    public static IReadOnlyList<string> Listing(string folder) =>
    [
        .. new DirectoryInfo(folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories)
            .OrderBy(entry => entry.FullName, StringComparer.Ordinal)
            .Select(entry => $"{entry.FullName} {entry.UnixFileMode} {entry.LastWriteTimeUtc:O} {ContentOf(entry)}"),
    ];

    public void Dispose() => _folder.Dispose();

    private static string ContentOf(FileSystemInfo entry) =>
        entry.LinkTarget ?? (entry is FileInfo file ? $"{file.Length} {Digest.Sha256(File.ReadAllBytes(file.FullName))}" : "");

    private string LinkFile(string repository, string kind, Digest digest) =>
        Combine("repositories", repository, kind, AlgorithmOf(digest), digest.Hex, "link");

    private static string AlgorithmOf(Digest digest) => digest.ToString().Split(':')[0];
}
