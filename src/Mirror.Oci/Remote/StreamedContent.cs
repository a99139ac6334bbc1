using System.Buffers;
using System.Net;

namespace Mirror.Oci.Remote;

/// <summary>
/// A part of a blob as a request's body: read, hashed and sent in one go, no faster than the registry's bandwidth. The timeout measures the
/// registry's silence: not how long our own source takes.
/// </summary>
internal sealed class StreamedContent : HttpContent
{
    private const int BufferSize = 64 * 1024;

    private readonly OutgoingBlob _blob;
    private readonly long _offset;
    private readonly long _length;
    private readonly TransferSlot _slot;
    private readonly RemoteRegistryOptions _options;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private CancellationTokenSource? _watch;
    private Task? _sending;

    /// <param name="blob">Of which it is a part.</param>
    /// <param name="offset">Where the part begins.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="range">Its Content-Range as the distribution spec has it; null for none.</param>
    /// <param name="slot">Sets the pace.</param>
    /// <param name="options">The timeouts.</param>
    public StreamedContent(OutgoingBlob blob, long offset, long length, string? range, TransferSlot slot, RemoteRegistryOptions options)
    {
        (_blob, _offset, _length, _slot, _options) = (blob, offset, length, slot, options);
        Headers.TryAddWithoutValidation("Content-Type", MediaTypes.OctetStream);
        Headers.ContentLength = length;
        if (range is not null)
        {
            Headers.TryAddWithoutValidation("Content-Range", range);
        }
    }

    /// <summary>Whether it was our own source that has failed, and not the registry.</summary>
    public bool HasFailedItself => _blob.HasFault || _blob.IsWrong;

    /// <summary>Sets the timeout that is postponed by what is sent.</summary>
    public void Watch(CancellationTokenSource timeout) => _watch = timeout;

    /// <summary>Ends what is still being sent, and waits until nobody reads the blob any more.</summary>
    public async Task StopAsync()
    {
        Task? sending;
        lock (_gate)
        {
            _watch = null;
            sending = _sending ??= Task.CompletedTask;
        }

        await _stopping.CancelAsync();
        await sending.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _sending ??= SendAsync(stream, cancellationToken);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _length;
        return true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stopping.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task SendAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            Expect(Timeout.InfiniteTimeSpan);
            await _blob.SeekAsync(_offset, either.Token);
            for (var left = _length; left > 0;)
            {
                var read = await _blob.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, BufferSize)), either.Token);
                _blob.RefuseWrongEnd();
                await _slot.PaceAsync(read, either.Token);
                Expect(_options.IdleTimeout);
                await stream.WriteAsync(buffer.AsMemory(0, read), either.Token);
                Expect(Timeout.InfiniteTimeSpan);
                _blob.CountSent(read);
                left -= read;
            }

            Expect(_options.IdleTimeout);
            await stream.FlushAsync(either.Token);
            Expect(_options.FinishTimeout);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Expect(TimeSpan within)
    {
        lock (_gate)
        {
            _watch?.CancelAfter(within);
        }
    }
}
