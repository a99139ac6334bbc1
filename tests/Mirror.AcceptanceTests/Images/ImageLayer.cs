using System.Formats.Tar;
using System.IO.Compression;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Images;

/// <summary>A layer: a compressed archive, and the digest of the archive itself, which an image's configuration lists.</summary>
internal sealed record ImageLayer(TestBlob Blob, Digest DiffId)
{
    /// <summary>The files of packages as they are installed on this machine; documentation and the like stay out.</summary>
    public static async Task<ImageLayer> OfPackagesAsync(params IReadOnlyList<string> packages)
    {
        var listing = (await Command.RunAsync("dpkg-query", ["--listfiles", .. packages])).Succeeded().Output;
        return Of(tar =>
        {
            foreach (var path in listing.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Where(IsWanted))
            {
                tar.WriteEntry(path, RealPath(path)[1..]);
            }
        });
    }

    /// <summary>/bin, /lib and their like where they lead into /usr: packages name their files through them.</summary>
    public static ImageLayer OfRoot() => Of(tar =>
    {
        foreach (var folder in new DirectoryInfo("/").EnumerateDirectories())
        {
            if (folder.LinkTarget?.StartsWith("usr/", StringComparison.Ordinal) ?? false)
            {
                tar.WriteEntry(folder.FullName, folder.Name);
            }
        }

        tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "tmp/"));
    });

    /// <summary>One file, for an image that is pulled and not run.</summary>
    public static ImageLayer OfFile(string name, byte[] content) => Of(tar =>
        tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) }));

    private static ImageLayer Of(Action<TarWriter> fill)
    {
        using var archive = new MemoryStream();
        using (var tar = new TarWriter(archive, leaveOpen: true))
        {
            fill(tar);
        }

        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            archive.WriteTo(gzip);
        }

        return new ImageLayer(TestBlob.Of(compressed.ToArray(), MediaTypes.OciLayerGzip), Digest.Sha256(archive.ToArray()));
    }

    /// <summary>Folders come with the files in them. A file that is not there was left out when the package was installed.</summary>
    private static bool IsWanted(string path) =>
        !path.StartsWith("/usr/share/", StringComparison.Ordinal) && (File.Exists(path) || new FileInfo(path).LinkTarget is not null);

    /// <summary>Where the file is when no folder on the way to it is a link.</summary>
    private static string RealPath(string path)
    {
        var real = "";
        foreach (var segment in Path.GetDirectoryName(path)!.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real += $"/{segment}";
            real = new DirectoryInfo(real).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? real;
        }

        return $"{real}/{Path.GetFileName(path)}";
    }
}
