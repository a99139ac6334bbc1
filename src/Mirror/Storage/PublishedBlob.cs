using Microsoft.Win32.SafeHandles;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>An open published blob. Its content stays readable while it is open, whatever happens to the file's name.</summary>
public sealed class PublishedBlob(SafeFileHandle handle, BlobRecord record) : IDisposable
{
    public Digest Digest => record.Digest;

    public long Size => record.Size;

    /// <summary>Reads one whole block, <see cref="BlockChecksums.BlockSize"/> bytes but for the last, and checks it.</summary>
    /// <returns>How many bytes the block has.</returns>
    /// <exception cref="BlobDamagedException">The disk no longer has what was published.</exception>
    public int ReadBlock(long block, Span<byte> buffer)
    {
        var start = block * BlockChecksums.BlockSize;
        var content = buffer[..(int)Math.Min(BlockChecksums.BlockSize, Size - start)];
        return TryRead(content, start) && record.Checksums.Matches(block, content)
            ? content.Length
            : throw new BlobDamagedException(Digest, block);
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

    public void Dispose() => handle.Dispose();

    /// <summary>False where the file ends too early or the disk can no longer read it.</summary>
    private bool TryRead(Span<byte> content, long start)
    {
        try
        {
            for (var filled = 0; filled < content.Length;)
            {
                var read = RandomAccess.Read(handle, content[filled..], start + filled);
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
