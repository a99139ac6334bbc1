using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>What is to be read of a blob.</summary>
/// <param name="Offset">From here on.</param>
/// <param name="End">Up to here; the blob's size, or anything behind it, for its end.</param>
/// <param name="Size">The blob's, in bytes, or null where nobody knows.</param>
public readonly record struct BlobPart(long Offset, long End, long? Size)
{
    public bool RunsToTheEnd => Size is null || End >= Size;
}

/// <summary>
/// One client's own way to a blob that can not be stored: straight from upstream, from where the client's reading stands, and verified on the way.
/// What the client has had already was read from the remains of the download, and is hashed from there; what lies between that
/// and the part that is wanted is fetched for the hash alone. The last byte is held back until the digest is verified. A part that does not run to the end is not verified:
/// it makes nobody believe that he has the blob.
/// </summary>
internal sealed class DirectStream : IAsyncDisposable
{
    private const int BlockSize = 256 * 1024;

    private readonly byte[] _block = new byte[BlockSize];
    private readonly UpstreamRepository _repository;
    private readonly Digest _digest;
    private readonly BlobArrival _arrival;
    private readonly IncrementalHash? _hash;
    private int _given;      // of what is in the block
    private int _filled;
    private bool _verified;

    private DirectStream(UpstreamRepository repository, Digest digest, BlobArrival arrival, IncrementalHash? hash)
    {
        _repository = repository;
        _digest = digest;
        _arrival = arrival;
        _hash = hash;
        _verified = hash is null;
    }

    /// <param name="repository">Through which it is fetched.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="part">What is wanted of it.</param>
    /// <param name="remains">The file that the client has read from so far, if there is one, and how much of it counts.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets an event for each break.</param>
    /// <param name="cancellationToken">The client's.</param>
    /// <exception cref="DownloadFailedException">Upstream refuses.</exception>
    public static async Task<DirectStream> OpenAsync(
        UpstreamRepository repository,
        Digest digest,
        BlobPart part,
        (SafeFileHandle? File, long Written) remains,
        TimeProvider time,
        ILogger<BlobArrival> logger,
        CancellationToken cancellationToken)
    {
        var hash = part.RunsToTheEnd ? Digest.Start(digest.Algorithm) : null;
        var there = Math.Min(remains.Written, part.Offset);
        var from = hash is null ? part.Offset : HashRemains(hash, remains.File, there);
        if (hash is not null && from < there)
        {
            // The client has had bytes that can not be read again, and so not be verified with the rest.
            hash.Dispose();
            throw new DownloadFailedException(DownloadFault.Stopped, null, "what was received of it can not be read again");
        }

        var arrival = new BlobArrival(
            repository,
            digest,
            part.Size,
            repository.Upstream.StartTransfer(TransferPriority.Client),
            hash is null ? part.End : null,
            (_, _) => ValueTask.FromResult(true),
            time,
            logger);
        var direct = new DirectStream(repository, digest, arrival, hash);
        try
        {
            // Who has begun to read waits as for any download that breaks off.
            var isPatient = remains.Written > 0;
            if (await arrival.OpenAsync(from, cancellationToken) is RemoteAnswer<BlobSize>.Failed(var failure)
                && !(isPatient && failure is (RemoteFailure.Unavailable or RemoteFailure.Throttled)))
            {
                throw new DownloadFailedException(DownloadFault.Upstream, failure, failure.Why);
            }

            await direct.SkipAsync(part.Offset - from, cancellationToken);
            return direct;
        }
        catch
        {
            await direct.DisposeAsync();
            throw;
        }
    }

    /// <summary>The next bytes, at least one; 0 at the end.</summary>
    /// <exception cref="DownloadFailedException">There will be no more, or they are wrong.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            var available = _filled - _given - (_verified ? 0 : 1);
            if (available > 0)
            {
                var given = Math.Min(available, buffer.Length);
                _block.AsSpan(_given, given).CopyTo(buffer.Span);
                _given += given;
                return given;
            }

            if (!await TryFillAsync(cancellationToken) && _given == _filled)
            {
                return 0;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _hash?.Dispose();
        await _arrival.DisposeAsync();
    }

    /// <returns>How much could be hashed.</returns>
    private static long HashRemains(IncrementalHash hash, SafeFileHandle? file, long length)
    {
        var block = new byte[BlockSize];
        var hashed = 0L;
        while (file is not null && hashed < length)
        {
            var read = Read(file, block.AsSpan(0, (int)Math.Min(BlockSize, length - hashed)), hashed);
            if (read == 0)
            {
                break;
            }

            hash.AppendData(block, 0, read);
            hashed += read;
        }

        return hashed;
    }

    private static int Read(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        try
        {
            return RandomAccess.Read(file, buffer, offset);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private async Task SkipAsync(long bytes, CancellationToken cancellationToken)
    {
        var skipped = new byte[BlockSize];
        while (bytes > 0)
        {
            var read = await ReadAsync(skipped.AsMemory(0, (int)Math.Min(BlockSize, bytes)), cancellationToken);
            bytes = read == 0 ? 0 : bytes - read;
        }
    }

    /// <summary>The byte that was held back goes to the front, and what arrives behind it.</summary>
    /// <returns>Whether something arrived; if not, all that did is verified.</returns>
    private async ValueTask<bool> TryFillAsync(CancellationToken cancellationToken)
    {
        _block.AsSpan(_given, _filled - _given).CopyTo(_block);
        (_given, _filled) = (0, _filled - _given);
        var read = await _arrival.ReadAsync(_block.AsMemory(_filled), cancellationToken);
        if (read > 0)
        {
            _hash?.AppendData(_block, _filled, read);
            _filled += read;
            return true;
        }

        if (!_verified && Digest.Finish(_hash!) != _digest)
        {
            throw DownloadFailedException.Wrong(_repository, "sent content that does not have the digest");
        }

        _verified = true;
        return false;
    }
}
