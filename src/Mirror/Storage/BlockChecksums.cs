using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;

namespace Mirror.Storage;

/// <summary>
/// An XXH3-64 of every 256 KiB of a blob, computed while it arrives. Checking a block costs a hundredth of hashing it again with SHA-256, so that
/// each block can be checked each time it is read: a disk that rots is noticed before a client does.
/// </summary>
public sealed class BlockChecksums
{
    public const int BlockSize = 256 * 1024;

    private readonly byte[] _sums;

    private BlockChecksums(byte[] sums) => _sums = sums;

    /// <summary>How many blocks there are.</summary>
    public int Count => _sums.Length / sizeof(ulong);

    /// <summary>Reads what <see cref="ToBytes"/> wrote, or answers null where it does not fit a blob of <paramref name="size"/> bytes.</summary>
    public static BlockChecksums? FromBytes(byte[] bytes, long size) =>
        bytes.Length == (size + BlockSize - 1) / BlockSize * sizeof(ulong) ? new BlockChecksums(bytes) : null;

    /// <summary>The checksums of content that is in memory.</summary>
    public static BlockChecksums Of(ReadOnlySpan<byte> content)
    {
        var builder = new Builder();
        builder.Append(content);
        return builder.Finish();
    }

    /// <summary>Eight bytes a block, little-endian.</summary>
    public byte[] ToBytes() => _sums;

    /// <summary>Whether <paramref name="content"/> is what the block was when it arrived. The last block may be shorter than the others.</summary>
    public bool Matches(long block, ReadOnlySpan<byte> content) =>
        BinaryPrimitives.ReadUInt64LittleEndian(_sums.AsSpan(checked((int)block * sizeof(ulong)))) == XxHash3.HashToUInt64(content);

    /// <summary>Takes a blob's bytes in pieces of any size.</summary>
    public sealed class Builder
    {
        private readonly XxHash3 _hash = new();
        private readonly ArrayBufferWriter<byte> _sums = new();
        private int _inBlock;

        public void Append(ReadOnlySpan<byte> content)
        {
            while (!content.IsEmpty)
            {
                var part = content[..Math.Min(content.Length, BlockSize - _inBlock)];
                _hash.Append(part);
                _inBlock += part.Length;
                content = content[part.Length..];
                if (_inBlock == BlockSize)
                {
                    EndBlock();
                }
            }
        }

        public BlockChecksums Finish()
        {
            if (_inBlock > 0)
            {
                EndBlock();
            }

            return new BlockChecksums(_sums.WrittenSpan.ToArray());
        }

        private void EndBlock()
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_sums.GetSpan(sizeof(ulong)), _hash.GetCurrentHashAsUInt64());
            _sums.Advance(sizeof(ulong));
            _hash.Reset();
            _inBlock = 0;
        }
    }
}
