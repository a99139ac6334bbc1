using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// A blob's bytes as upstream sends them, from some offset to the end, in one sequence. Where upstream breaks off, goes silent or fails in the
/// middle, it is asked for the rest, after a pause that grows as long as that brings nothing. Where it starts again from the beginning, what
/// it repeats must be what it sent before. Nothing is verified here: the bytes may be anything.
/// </summary>
/// <param name="repository">Through which it is fetched.</param>
/// <param name="digest">What is fetched.</param>
/// <param name="announcedSize">Its size as a manifest has it, in bytes: another is refused, and what is sent behind it is not received.</param>
/// <param name="transfer">Its place among the other transfers.</param>
/// <param name="end">Behind the last byte that is wanted; null for the blob's end.</param>
/// <param name="repeats">Whether what upstream sends once more, from the given offset on, is what it sent before.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets an event for each break.</param>
internal sealed partial class BlobArrival(
    UpstreamRepository repository,
    Digest digest,
    long? announcedSize,
    Transfer transfer,
    long? end,
    Func<long, ReadOnlyMemory<byte>, ValueTask<bool>> repeats,
    TimeProvider time,
    ILogger<BlobArrival> logger) : IAsyncDisposable
{
    /// <summary>So often in a row an attempt may bring nothing worth the name: the pauses between them add up to a minute and a half.</summary>
    private const int MaxFruitless = 8;
    private const int Fruit = 64 * 1024;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(25);

    private readonly string _sizeIsFrom = announcedSize is null ? "it itself" : "the manifest";
    private RemoteBlob? _blob;       // what is being read now
    private long _from;              // where it stands; behind _position while upstream repeats itself
    private long _position;          // what has been given to the reader, and what was there before
    private long _before;            // where _position was when the running attempt began
    private int _fruitless;
    private bool _fromStart;         // upstream has refused to go on in the middle: it is asked for all of it

    /// <summary>The blob's size in bytes, once upstream or a manifest has said it.</summary>
    public long? Size { get; private set; } = announcedSize;

    /// <summary>Whether what was received comes from more than one answer.</summary>
    public bool Resumed { get; private set; }

    private long? End => end ?? Size;

    /// <summary>Asks upstream for what lies behind <paramref name="offset"/>; with an answer other than Found there is nothing to read.</summary>
    public async Task<RemoteAnswer<BlobSize>> OpenAsync(long offset, CancellationToken cancellationToken)
    {
        (_position, _before) = (offset, offset);
        var failure = await TryOpenAsync(RemotePatience.Retry, cancellationToken);
        return failure is null ? new BlobSize(Size) : failure;
    }

    /// <summary>Whether it may be that upstream gives the whole, and no part: object stores and firewalls refuse ranges in many ways.</summary>
    public static bool MayBeOfTheRange(RemoteFailure refusal) =>
        refusal is RemoteFailure.Denied or RemoteFailure.Unavailable { Reason: UnavailableReason.Unsupported };

    /// <summary>What lies before <paramref name="offset"/> is there; upstream is asked for more only if more is read.</summary>
    public void GoOnFrom(long offset) => (_position, _before) = (offset, offset);

    /// <summary>The next bytes, at least one; 0 at the end.</summary>
    /// <exception cref="DownloadFailedException">There will be no more: upstream is beyond patience, or sends what can not be right.</exception>
    /// <exception cref="OperationCanceledException">The token given here or at the opening was cancelled.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (_position != End)
        {
            if (_blob is null && await TryOpenAsync(RemotePatience.OneAttempt, cancellationToken) is { } refusal)
            {
                if (!_fromStart && end is null && _position > 0 && MayBeOfTheRange(refusal))
                {
                    _fromStart = Resumed = true;
                }
                else
                {
                    await PauseAsync(refusal, brokeOff: false, cancellationToken);
                }

                continue;
            }

            var (read, failure) = await TryReadAsync(buffer);
            if (failure is null)
            {
                return read;
            }

            await PauseAsync(failure, brokeOff: true, cancellationToken);
        }

        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        if (_blob is { } blob)
        {
            _blob = null;
            await blob.DisposeAsync();
        }
    }

    /// <returns>Null for success.</returns>
    private async Task<RemoteFailure?> TryOpenAsync(RemotePatience patience, CancellationToken cancellationToken)
    {
        var last = end - 1;
        switch (await repository.Upstream.OpenBlobAsync(
            repository.Name, digest, _fromStart ? 0 : _position, last, transfer, patience, cancellationToken))
        {
            case RemoteAnswer<RemoteBlob>.Found(var blob):
                if (blob.Size is { } size && Size is { } expected && size != expected)
                {
                    await blob.DisposeAsync();
                    return new RemoteFailure.Unavailable(
                        UnavailableReason.BadAnswer, $"{repository.Upstream.Name} has a blob of {size} bytes where {_sizeIsFrom} says {expected}");
                }

                Size ??= blob.Size;
                (_blob, _from) = (blob, blob.Offset);
                return null;

            case RemoteAnswer<RemoteBlob>.Failed(var failure):
                return failure;

            default:
                throw new UnreachableException();
        }
    }

    /// <summary>
    /// The next new bytes; what upstream repeats is compared on the way. Where nothing is waited for, nothing is awaited: the caller sees from the
    /// task whether more has arrived already.
    /// </summary>
    private async ValueTask<(int Read, RemoteFailure? Failure)> TryReadAsync(Memory<byte> buffer)
    {
        try
        {
            while (await _blob!.Body.ReadAsync(buffer) is > 0 and var read)
            {
                var repeated = (int)Math.Clamp(_position - _from, 0, read);
                if (repeated > 0 && !await repeats(_from, buffer[..repeated]))
                {
                    throw DownloadFailedException.Wrong(repository, "sent other bytes than before");
                }

                repository.Upstream.CountReceived(read);
                _from += read;
                if (read > repeated)
                {
                    buffer[repeated..read].CopyTo(buffer);
                    var wanted = (int)Math.Min(read - repeated, (End ?? long.MaxValue) - _position);
                    _position += wanted;
                    return (wanted, null);
                }
            }
        }
        catch (RemoteReadException e)
        {
            await DisposeAsync();
            return (0, e.Failure);
        }

        await DisposeAsync();
        if (End is null)
        {
            Size = _position;
        }

        return _position == End
            ? (0, null)
            : (0, new RemoteFailure.Unavailable(
                UnavailableReason.Unreachable, $"{repository.Upstream.Name} ended after {_position} of {End} bytes"));
    }

    /// <summary>
    /// None after a body that broke off, as connections do; longer and longer where that brings nothing or upstream answers with errors, and
    /// at least what it asks for.
    /// </summary>
    private async Task PauseAsync(RemoteFailure failure, bool brokeOff, CancellationToken cancellationToken)
    {
        _fruitless = _position - _before >= Fruit ? 0 : _fruitless + 1;
        _before = _position;
        var pause = _fruitless == 0 || (_fruitless == 1 && brokeOff) ? TimeSpan.Zero : FirstPause * Math.Pow(2, _fruitless - 1);
        var asked = (failure as RemoteFailure.Throttled)?.RetryAfter ?? TimeSpan.Zero;
        if (_fruitless >= MaxFruitless || asked > LongestPause || failure is not (RemoteFailure.Unavailable or RemoteFailure.Throttled))
        {
            throw new DownloadFailedException(DownloadFault.Upstream, failure, failure.Why);
        }

        Resumed |= _position > 0;
        LogBroken(digest, repository.Key, _position, failure.Why);
        pause = pause > LongestPause ? LongestPause : pause;
        await Task.Delay(asked > pause ? asked : pause, time, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Digest} for {Repository} broke off after {Bytes} bytes and will go on: {Why}")]
    private partial void LogBroken(Digest digest, RepositoryKey repository, long bytes, string why);
}
