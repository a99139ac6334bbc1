using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// The files of published content, as they are on the disk: nothing is believed of them. What is not what its name says is left where it is,
/// and named.
/// </summary>
/// <param name="layout">Where they are.</param>
/// <param name="leaveOut">Is told what is left out, and why; also by several threads at once.</param>
internal sealed class PublishedFiles(StoreLayout layout, Action<string> leaveOut)
{
    /// <summary>All of them, one folder after the other.</summary>
    /// <param name="enter">Is told which part of them comes next, from 0 to 1.</param>
    public IEnumerable<(Digest Digest, FileInfo File)> List(Action<double> enter)
    {
        var algorithms = Enum.GetValues<DigestAlgorithm>().Select(layout.AlgorithmFolder).ToList();
        foreach (var other in Entries(layout.Blobs).Where(entry => !algorithms.Contains(entry.FullName)))
        {
            LeaveOut(other, "is no folder of published content");
        }

        foreach (var (number, algorithm) in algorithms.Index())
        {
            var folders = Entries(algorithm);
            foreach (var (place, folder) in folders.Index())
            {
                enter((number + ((double)place / folders.Count)) / algorithms.Count);
                if (folder is not DirectoryInfo { LinkTarget: null, Name.Length: 2 })
                {
                    LeaveOut(folder, "is no folder of published content");
                    continue;
                }

                foreach (var entry in Entries(folder.FullName))
                {
                    if (FindDigest(algorithm, entry) is { } digest)
                    {
                        yield return (digest, (FileInfo)entry);
                    }
                }
            }
        }
    }

    /// <summary>Reads a file, to its end.</summary>
    /// <returns>What is to be known of it, or null where it can not be read or is something else than its name says.</returns>
    /// <param name="digest">As its name says.</param>
    /// <param name="file">The file.</param>
    /// <param name="pass">Is told how many bytes were read, often.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public BlobRecord? Read(Digest digest, FileInfo file, Action<int> pass, CancellationToken cancellationToken)
    {
        try
        {
            // What has no length may be no file: a pipe would be waited for for ever.
            using var handle = file.Length == 0
                ? null
                : File.OpenHandle(file.FullName, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.SequentialScan);
            if (BlobRecord.TryRead(digest, handle, pass, cancellationToken) is { } record)
            {
                return record;
            }

            LeaveOut(file, "is damaged: it does not have the digest that is its name");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LeaveOut(file, $"can not be read: {e.Message}");
        }
        return null;
    }

    private Digest? FindDigest(string algorithm, FileSystemInfo entry)
    {
        if (entry is FileInfo { LinkTarget: null }
            && Digest.TryParse($"{Path.GetFileName(algorithm)}:{entry.Name}", out var digest)
            && layout.Blob(digest) == entry.FullName)
        {
            return digest;
        }

        LeaveOut(entry, "is no file of published content");
        return null;
    }

    private List<FileSystemInfo> Entries(string folder)
    {
        try
        {
            return Directory.Exists(folder)
                ? [.. new DirectoryInfo(folder).EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal)]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            leaveOut($"{Path.GetRelativePath(layout.Root, folder)} can not be read: {e.Message}");
            return [];
        }
    }

    private void LeaveOut(FileSystemInfo entry, string why) => leaveOut($"{Path.GetRelativePath(layout.Root, entry.FullName)} {why}");
}
