using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// Bytes on their way into the store: hashed and checksummed as they are appended, readable by others behind the writer, and visible under
/// their digest only once published. Disposing without publishing leaves nothing, unless they are kept for a later attempt.
/// </summary>
public sealed class StagedBlob : IDisposable
{
    /// <summary>How much the disk is given at once. Large, so that it writes large pieces.</summary>
    private const int FlushStep = 8 * 1024 * 1024;

    private readonly StoreLayout _layout;
    private readonly string _path;
    private readonly DigestAlgorithm _algorithm;
    private readonly IncrementalHash _hash;
    private readonly FileStream _file;
    private readonly BlockChecksums.Builder _checksums = new();
    private Action? _closed;
    private Digest? _verified;
    private bool _leaves;
    private long _flushing;
    private long _hashed;

    /// <param name="layout">Where it will be published.</param>
    /// <param name="path">Where it grows. What an earlier attempt has left there is hashed again and counts as appended.</param>
    /// <param name="algorithm">The one that its digest will most likely have.</param>
    /// <param name="mode">Whether the file may be there already, or has to be.</param>
    /// <param name="closed">Called once, when the file is no longer in use.</param>
    internal StagedBlob(StoreLayout layout, string path, DigestAlgorithm algorithm, FileMode mode, Action closed)
    {
        _layout = layout;
        _path = path;
        _algorithm = algorithm;
        _hash = Digest.Start(algorithm);
        _file = Open(path, mode);
        // Once: each time it is asked for, a stream sets the file's position.
        Handle = _file.SafeFileHandle;
        Read(RandomAccess.GetLength(Handle), Hash);
        Length = _hashed;
        _closed = closed;
        _flushing = Length;
    }

    /// <summary>How many bytes were appended.</summary>
    public long Length { get; private set; }

    /// <summary>Whether it is where readers find it: nothing may be appended any more.</summary>
    public bool IsPublished { get; private set; }

    /// <summary>For readers behind the writer. It stays good after publishing; closing it is for who disposes this.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>
    /// Whether the disk writes while more is still coming, because somebody waits for it at the end. It costs CPU, and those who only read behind
    /// the writer gain nothing.
    /// </summary>
    public bool FlushesAsItGrows { get; init; }

    public void Append(ReadOnlySpan<byte> content)
    {
        Write(content);
        Hash(content);
    }

    /// <summary>The first half of appending. From then on readers find it.</summary>
    public void Write(ReadOnlySpan<byte> content)
    {
        RandomAccess.Write(Handle, content, Length);
        Length += content.Length;
        if (FlushesAsItGrows && Length - _flushing >= FlushStep)
        {
            Durability.BeginFlush(Handle, _flushing, Length - _flushing);
            _flushing = Length;
        }
    }

    /// <summary>The second half, in the order of the first, for what was written or is being written; on any thread.</summary>
    public void Hash(ReadOnlySpan<byte> content)
    {
        _hash.AppendData(content);
        _checksums.Append(content);
        _hashed += content.Length;
    }

    /// <summary>The first offset from <paramref name="offset"/> on at which <paramref name="content"/> is not what was appended, as far as anything was.</summary>
    public long? FindDifference(long offset, ReadOnlySpan<byte> content)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(content.Length);
        try
        {
            var appended = (int)Math.Clamp(Length - offset, 0, content.Length);
            var had = buffer.AsSpan(0, appended == 0 ? 0 : RandomAccess.Read(Handle, buffer.AsSpan(0, appended), offset));
            var same = had.CommonPrefixLength(content);
            return same == appended ? null : offset + same;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Leaves what is there for a later attempt.</summary>
    public void Keep() => _leaves = true;

    /// <summary>Deletes what is there at once. Who has it open can go on reading.</summary>
    public void Discard()
    {
        File.Delete(_path);
        _leaves = true;
    }

    /// <summary>Whether all that was appended has this digest. Asked again before each attempt at publishing.</summary>
    /// <exception cref="InvalidOperationException">Not everything that was written was hashed too.</exception>
    public bool Verify(Digest expected)
    {
        if (_hashed != Length)
        {
            throw new InvalidOperationException($"{Length} bytes were written and {_hashed} hashed.");
        }

        _verified = DigestAs(expected.Algorithm) == expected ? expected : null;
        return _verified is not null;
    }

    /// <summary>Flushes the bytes and makes them the published blob. Durable when it returns.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public BlobRecord Publish()
    {
        if (_verified is not { } digest)
        {
            throw new InvalidOperationException("Only verified bytes are published.");
        }

        // A write that the disk refused may have left some of its bytes.
        RandomAccess.SetLength(Handle, Length);
        RandomAccess.FlushToDisk(Handle);
        var folder = _layout.BlobFolder(digest);
        Durability.CreateFolder(folder);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Handle, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        }

        Durability.Rename(_path, _layout.Blob(digest));
        _leaves = true;
        IsPublished = true;
        Durability.FlushFolder(folder);
        return new BlobRecord(digest, Length, _checksums.Finish());
    }

    public void Dispose()
    {
        _hash.Dispose();
        _file.Dispose();
        if (!_leaves)
        {
            Remove();
        }

        _closed?.Invoke();
        _closed = null;
    }

    private void Remove()
    {
        try
        {
            File.Delete(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody who has just been served is to suffer for it; it is swept later.
        }
    }

    /// <summary>Its owner's alone: what is not published is for nobody.</summary>
    private static FileStream Open(string path, FileMode mode)
    {
        var options = new FileStreamOptions
        {
            Mode = mode,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
        {
            var owners = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            if (mode != FileMode.Open)
            {
                options.UnixCreateMode = owners;
            }

            if (File.Exists(path))
            {
                // It is read-only already where a crash or the disk came in between while it was published.
                File.SetUnixFileMode(path, owners);
            }
        }

        return new FileStream(path, options);
    }

    /// <summary>A digest of another kind than was expected costs reading everything once more.</summary>
    private Digest DigestAs(DigestAlgorithm algorithm)
    {
        if (algorithm == _algorithm)
        {
            return Digest.Finish(_hash);
        }

        using var other = Digest.Start(algorithm);
        Read(Length, content => other.AppendData(content));
        return Digest.Finish(other);
    }

    /// <summary>Reads no more than <paramref name="length"/>: behind that may be what a refused write has left.</summary>
    private void Read(long length, Action<ReadOnlySpan<byte>> take)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BlockChecksums.BlockSize);
        try
        {
            var offset = 0L;
            while (RandomAccess.Read(Handle, Piece(offset), offset) is > 0 and var read)
            {
                take(buffer.AsSpan(0, read));
                offset += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        Span<byte> Piece(long offset) => buffer.AsSpan(0, (int)Math.Min(length - offset, BlockChecksums.BlockSize));
    }
}
