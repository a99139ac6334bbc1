using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// Bytes on their way into the store: hashed and checksummed as they are appended, readable by others behind the writer, and visible under
/// their digest only once published. Disposing without publishing leaves nothing.
/// </summary>
public sealed class StagedBlob : IDisposable
{
    private readonly StoreLayout _layout;
    private readonly string _path;
    private readonly Digest _expected;
    private readonly IncrementalHash _hash;
    private readonly BlockChecksums.Builder _checksums = new();
    private bool _verified;
    private bool _published;

    internal StagedBlob(StoreLayout layout, Digest expected)
    {
        _layout = layout;
        _path = layout.NewStaged();
        _expected = expected;
        _hash = Digest.Start(expected.Algorithm);
        Handle = File.OpenHandle(_path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
    }

    /// <summary>How many bytes were appended.</summary>
    public long Length { get; private set; }

    /// <summary>For readers behind the writer. It stays good after publishing; closing it is for who disposes this.</summary>
    public SafeFileHandle Handle { get; }

    public void Append(ReadOnlySpan<byte> content)
    {
        RandomAccess.Write(Handle, content, Length);
        _hash.AppendData(content);
        _checksums.Append(content);
        Length += content.Length;
    }

    /// <summary>Whether all that was appended has the digest that was promised. Called once, at the end.</summary>
    public bool Verify() => _verified = Digest.Finish(_hash) == _expected;

    /// <summary>Flushes the bytes and makes them the published blob. Durable when it returns.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public BlobRecord Publish()
    {
        if (!_verified)
        {
            throw new InvalidOperationException("Only verified bytes are published.");
        }

        RandomAccess.FlushToDisk(Handle);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Handle, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        }

        var folder = _layout.BlobFolder(_expected);
        if (!Directory.Exists(folder))
        {
            Directory.CreateDirectory(folder);
            Durability.FlushFolder(Path.GetDirectoryName(folder)!);
        }

        File.Move(_path, _layout.Blob(_expected), overwrite: true);
        _published = true;
        Durability.FlushFolder(folder);
        return new BlobRecord(_expected, Length, _checksums.Finish());
    }

    public void Dispose()
    {
        _hash.Dispose();
        Handle.Dispose();
        if (!_published)
        {
            File.Delete(_path);
        }
    }
}
