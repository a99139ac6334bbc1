using Microsoft.Win32.SafeHandles;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>An open published blob. Its content stays readable while it is open, whatever happens to the file's name.</summary>
public sealed class PublishedBlob : IDisposable
{
    private readonly BlobRecord _record;
    private readonly RecentChecks _checks;

    internal PublishedBlob(SafeFileHandle handle, BlobRecord record, RecentChecks checks) => (Handle, _record, _checks) = (handle, record, checks);

    public Digest Digest => _record.Digest;

    public long Size => _record.Size;

    /// <summary>The file, for who sends what <see cref="CountRight"/> counts.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>
    /// How many bytes of the file need not be read through <see cref="ReadBlock"/> before they leave, as their blocks were right a short time ago,
    /// nobody has written to the file since, and they are in the kernel's memory still: what comes from the disk again is checked again.
    /// </summary>
    /// <param name="offset">Of the first.</param>
    /// <param name="limit">How many are enough, at least 1. The file has them.</param>
    public int CountRight(long offset, int limit)
    {
        if (FileStatus.Find(Handle) is not { } status)
        {
            return 0;
        }

        var first = offset / BlockChecksums.BlockSize;
        var right = _checks.Count(Digest, status.Version, first, (offset + limit - 1) / BlockChecksums.BlockSize);
        var length = right == 0 ? 0 : (int)Math.Min(limit, (first + right) * BlockChecksums.BlockSize - offset);
        if (length == 0 || PageCache.Has(Handle, offset, length))
        {
            return length;
        }

        // What is read again may bring in more than is checked.
        _checks.Remove(Digest);
        return 0;
    }

    /// <summary>Reads one whole block, <see cref="BlockChecksums.BlockSize"/> bytes but for the last, and checks it.</summary>
    /// <returns>How many bytes the block has.</returns>
    /// <exception cref="BlobDamagedException">The disk no longer has what was published.</exception>
    public int ReadBlock(long block, Span<byte> buffer)
    {
        var start = block * BlockChecksums.BlockSize;
        var content = buffer[..(int)Math.Min(BlockChecksums.BlockSize, Size - start)];
        var status = FileStatus.Find(Handle);
        if (!TryRead(content, start) || !_record.Checksums.Matches(block, content))
        {
            throw new BlobDamagedException(Digest, block);
        }

        if (status is { } before)
        {
            _checks.Add(Digest, before.Version, block, _record.Checksums.Count);
        }

        return content.Length;
    }

    /// <summary>The whole content, for manifests.</summary>
    /// <exception cref="BlobDamagedException">The disk no longer has what was published.</exception>
    public byte[] ReadWhole()
    {
        var content = new byte[Size];
        for (long block = 0, start = 0; start < Size; block++, start += BlockChecksums.BlockSize)
        {
            ReadBlock(block, content.AsSpan((int)start));
        }

        return content;
    }

    public void Dispose() => Handle.Dispose();

    /// <summary>False where the file ends too early or the disk can no longer read it.</summary>
    private bool TryRead(Span<byte> content, long start)
    {
        try
        {
            for (var filled = 0; filled < content.Length;)
            {
                var read = RandomAccess.Read(Handle, content[filled..], start + filled);
                if (read == 0)
                {
                    return false;
                }

                filled += read;
            }

            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}

/// <summary>A block does not have the checksum that it arrived with.</summary>
public sealed class BlobDamagedException(Digest digest, long block) : IOException($"Block {block} of the stored content of {digest} is damaged.")
{
    public Digest Digest { get; } = digest;

    public long Block { get; } = block;
}
