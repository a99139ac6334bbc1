using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>What the index knows of a published blob.</summary>
/// <param name="Digest">Its address.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Checksums">Of its blocks.</param>
public sealed record BlobRecord(Digest Digest, long Size, BlockChecksums Checksums)
{
    private const int PieceSize = 1024 * 1024;

    /// <summary>Reads content to its end.</summary>
    /// <param name="digest">The one that it should have.</param>
    /// <param name="file">The content; null for none.</param>
    /// <param name="pass">Is told how many bytes were read, often.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>What is to be known of it, or null where it has another digest.</returns>
    /// <exception cref="IOException">It can not be read.</exception>
    internal static BlobRecord? TryRead(Digest digest, SafeFileHandle? file, Action<int> pass, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceSize);
        try
        {
            using var hash = Digest.Start(digest.Algorithm);
            var checksums = new BlockChecksums.Builder();
            var length = 0L;
            while (file is not null && RandomAccess.Read(file, buffer.AsSpan(0, PieceSize), length) is > 0 and var read)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
                checksums.Append(buffer.AsSpan(0, read));
                length += read;
                pass(read);
            }

            return Digest.Finish(hash) == digest ? new BlobRecord(digest, length, checksums.Finish()) : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>A file of another program's that is published now.</summary>
/// <param name="Record">What is to be known of it.</param>
/// <param name="IsLink">Whether both have the same bytes on the disk.</param>
public sealed record AdoptedBlob(BlobRecord Record, bool IsLink);

/// <summary>The files: staging, publishing and opening content. What may be shown to whom is not known here.</summary>
/// <param name="layout">Where they are.</param>
/// <param name="time">The clock.</param>
public sealed class BlobStore(StoreLayout layout, TimeProvider time)
{
    /// <summary>What nobody has received anything of for so long is not gone on with any more.</summary>
    private static readonly TimeSpan StagedAge = TimeSpan.FromDays(7);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _inUse = [];    // staged files that are open, and how often
    private readonly RecentChecks _checks = new(time);

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

    /// <summary>
    /// Publishes a file that belongs to another program, as a second name of the same bytes where the file system and the file allow that, else as
    /// a copy. The other's name, bytes and mode stay as they are. What is verified is what is published, whatever becomes of the other's name
    /// meanwhile.
    /// </summary>
    /// <param name="digest">The one that it should have.</param>
    /// <param name="path">The file.</param>
    /// <param name="pass">Is told how many bytes were verified, often.</param>
    /// <param name="cancellationToken">Ends it, but for a copy that is being made.</param>
    /// <returns>Durable; or null where the file has another digest.</returns>
    /// <exception cref="IOException">It can not be read, or our disk refused.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public AdoptedBlob? TryAdopt(Digest digest, string path, Action<int> pass, CancellationToken cancellationToken)
    {
        // What has no length may be no file: a pipe would be waited for for ever.
        if (new FileInfo(path).Length == 0)
        {
            return digest.Matches([]) ? new AdoptedBlob(Publish(digest, []), IsLink: false) : null;
        }

        var staged = layout.NewStaged();
        BeginUse(staged);
        try
        {
            var isLink = IsOnlyItsOwners(path) && Durability.TryLink(path, staged);
            if (!isLink)
            {
                File.Copy(path, staged);
            }

            return PublishFile(digest, staged, isLink, pass, cancellationToken) is { } record ? new AdoptedBlob(record, isLink) : null;
        }
        finally
        {
            // A link that is published already is not renamed: both names are one file's.
            File.Delete(staged);
            EndUse(staged);
        }
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
            return new PublishedBlob(handle, record, _checks);
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

    /// <summary>Verifies and publishes a staged file. The mode of a link is its other owner's too.</summary>
    private BlobRecord? PublishFile(Digest digest, string staged, bool isLink, Action<int> pass, CancellationToken cancellationToken)
    {
        using var handle = File.OpenHandle(
            staged, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
        if (BlobRecord.TryRead(digest, handle, pass, cancellationToken) is not { } record)
        {
            return null;
        }

        RandomAccess.FlushToDisk(handle);
        var folder = layout.BlobFolder(digest);
        Durability.CreateFolder(folder);
        if (!isLink && !OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(handle, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        }

        Durability.Rename(staged, layout.Blob(digest));
        Durability.FlushFolder(folder);
        return record;
    }

    /// <summary>Whether nobody but its owner can write to a file: others may do so long after it has become ours as well.</summary>
    private static bool IsOnlyItsOwners(string path) =>
        !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == UnixFileMode.None;

    private StagedBlob Stage(string path, DigestAlgorithm algorithm, FileMode mode, bool flushesAsItGrows = false)
    {
        BeginUse(path);
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

    private void BeginUse(string path)
    {
        lock (_gate)
        {
            _inUse[path] = _inUse.GetValueOrDefault(path) + 1;
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
