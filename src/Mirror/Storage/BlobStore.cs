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
    private static readonly TimeSpan StagedAge = TimeSpan.FromDays(7);

    /// <summary>
    /// Begins to receive a blob that should turn out to have <paramref name="digest"/>, or goes on where an earlier download from the same
    /// registry stood. One download at a time.
    /// </summary>
    public StagedBlob StageDownload(string registry, Digest digest) => new(layout, layout.StagedDownload(registry, digest), digest.Algorithm);

    /// <summary>How much an earlier download has left, in bytes.</summary>
    public long FindStaged(string registry, Digest digest) =>
        new FileInfo(layout.StagedDownload(registry, digest)) is { Exists: true } file ? file.Length : 0;

    /// <summary>Begins an upload, or goes on with one that is there. One request at a time.</summary>
    public StagedBlob StageUpload(RepositoryName repository, UploadId id, DigestAlgorithm algorithm) =>
        new(layout, layout.StagedUpload(repository, id), algorithm) { FlushesAsItGrows = true };

    /// <summary>How much there is of an upload, in bytes; null where there is no such upload.</summary>
    public long? FindUpload(RepositoryName repository, UploadId id) =>
        new FileInfo(layout.StagedUpload(repository, id)) is { Exists: true } file ? file.Length : null;

    /// <summary>Publishes content that is in memory and has been verified, such as a manifest.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public BlobRecord Publish(Digest digest, ReadOnlySpan<byte> content)
    {
        using var staged = new StagedBlob(layout, layout.NewStaged(), digest.Algorithm);
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

    /// <summary>Removes what earlier processes left staged, but for what may go on: that after a week.</summary>
    public void SweepStaged(DateTimeOffset now)
    {
        foreach (var file in Directory.EnumerateFiles(layout.Staged))
        {
            if (!StoreLayout.CanBeGoneOnWith(file) || now - new DateTimeOffset(File.GetLastWriteTimeUtc(file)) > StagedAge)
            {
                File.Delete(file);
            }
        }
    }
}
