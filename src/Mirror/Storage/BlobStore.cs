using Microsoft.Win32.SafeHandles;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>What the index knows of a published blob.</summary>
/// <param name="Digest">Its address.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Checksums">Of its blocks.</param>
public sealed record BlobRecord(Digest Digest, long Size, BlockChecksums Checksums);

/// <summary>The files: staging, publishing and opening content. What may be shown to whom is not known here.</summary>
public sealed class BlobStore(StoreLayout layout)
{
    /// <summary>What nobody has received anything of for so long is not gone on with any more.</summary>
    private static readonly TimeSpan StagedAge = TimeSpan.FromDays(7);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _inUse = [];    // staged files that are open, and how often

    /// <summary>
    /// Begins to receive a blob that should turn out to have <paramref name="digest"/>, or goes on where an earlier download from the same
    /// registry stood. One download at a time.
    /// </summary>
    public StagedBlob StageDownload(string registry, Digest digest) =>
        Stage(layout.StagedDownload(registry, digest), digest.Algorithm, FileMode.OpenOrCreate);

    /// <summary>How much an earlier download has left, in bytes.</summary>
    public long FindStaged(string registry, Digest digest) =>
        new FileInfo(layout.StagedDownload(registry, digest)) is { Exists: true } file ? file.Length : 0;

    /// <summary>Begins an upload. It is there from now on, without any bytes.</summary>
    public StagedBlob BeginUpload(UploadKey upload, DigestAlgorithm algorithm) =>
        Stage(layout.StagedUpload(upload), algorithm, FileMode.CreateNew, flushesAsItGrows: true);

    /// <summary>Goes on with an upload; null where there is no such upload any more. One request at a time.</summary>
    public StagedBlob? TryResumeUpload(UploadKey upload, DigestAlgorithm algorithm)
    {
        try
        {
            return Stage(layout.StagedUpload(upload), algorithm, FileMode.Open, flushesAsItGrows: true);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>How much there is of an upload, in bytes; null where there is no such upload.</summary>
    public long? FindUpload(UploadKey upload) =>
        new FileInfo(layout.StagedUpload(upload)) is { Exists: true } file ? file.Length : null;

    /// <summary>Publishes content that is in memory and has been verified, such as a manifest.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public BlobRecord Publish(Digest digest, ReadOnlySpan<byte> content)
    {
        using var staged = Stage(layout.NewStaged(), digest.Algorithm, FileMode.CreateNew);
        staged.Append(content);
        return staged.Verify(digest) ? staged.Publish() : throw new InvalidOperationException($"What was to be published as {digest} is not that.");
    }

    /// <summary>Opens a published blob, or answers null where its file is gone or has another size than the index says.</summary>
    /// <exception cref="IOException">It could not be looked at; nothing is said about the file.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public PublishedBlob? TryOpen(BlobRecord record)
    {
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(layout.Blob(record.Digest), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        if (RandomAccess.GetLength(handle) == record.Size)
        {
            return new PublishedBlob(handle, record);
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Whether a published blob can be opened; what is in it is not looked at.</summary>
    /// <exception cref="IOException">It could not be looked at; nothing is said about the file.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public bool CanBeOpened(BlobRecord record)
    {
        using var published = TryOpen(record);
        return published is not null;
    }

    /// <summary>
    /// Removes what is left staged and in nobody's use: what no later attempt can go on with at once, the rest a week after the last bytes came.
    /// </summary>
    /// <returns>How many files that were.</returns>
    /// <exception cref="IOException">The disk refused.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public int SweepStaged(DateTimeOffset now)
    {
        var swept = 0;
        foreach (var file in Directory.EnumerateFiles(layout.Staged))
        {
            // Whoever wants to go on with one either has it open now, or finds that there is none.
            lock (_gate)
            {
                var isLeft = !StoreLayout.CanBeGoneOnWith(file) || now - new DateTimeOffset(File.GetLastWriteTimeUtc(file)) > StagedAge;
                if (isLeft && !_inUse.ContainsKey(file))
                {
                    File.Delete(file);
                    swept++;
                }
            }
        }

        return swept;
    }

    private StagedBlob Stage(string path, DigestAlgorithm algorithm, FileMode mode, bool flushesAsItGrows = false)
    {
        lock (_gate)
        {
            _inUse[path] = _inUse.GetValueOrDefault(path) + 1;
        }

        try
        {
            return new StagedBlob(layout, path, algorithm, mode, () => EndUse(path)) { FlushesAsItGrows = flushesAsItGrows };
        }
        catch
        {
            EndUse(path);
            throw;
        }
    }

    private void EndUse(string path)
    {
        lock (_gate)
        {
            if (--_inUse[path] == 0)
            {
                _inUse.Remove(path);
            }
        }
    }
}
