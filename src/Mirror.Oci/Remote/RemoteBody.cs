namespace Mirror.Oci.Remote;

/// <summary>The body of an answer. Its timeout measures silence: progress postpones it.</summary>
public sealed class RemoteBody : IAsyncDisposable
{
    private const int MaxErrorSize = 16 * 1024;

    private readonly HttpResponseMessage _response;
    private readonly Stream _content;
    private readonly TimeSpan _idleTimeout;
    private readonly string _server;
    private readonly TransferSlot? _slot;
    private readonly CancellationToken _cancellationToken;
    private readonly CancellationTokenSource _silence;
    private readonly CancellationTokenRegistration _registration;

    private RemoteBody(
        HttpResponseMessage response,
        Stream content,
        RemoteRegistryOptions options,
        TimeProvider time,
        TransferSlot? slot,
        CancellationToken cancellationToken)
    {
        _slot = slot;
        _response = response;
        _content = content;
        _idleTimeout = options.IdleTimeout;
        _server = options.Name;
        _cancellationToken = cancellationToken;
        _silence = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _registration = cancellationToken.UnsafeRegister(source => ((CancellationTokenSource)source!).Cancel(), _silence);
    }

    /// <param name="response">Disposed with the body.</param>
    /// <param name="options">The idle timeout.</param>
    /// <param name="time">Its clock.</param>
    /// <param name="cancellationToken">Ends every read.</param>
    /// <param name="slot">Sets the pace, and is given back with the body; null for what is no transfer of a blob.</param>
    internal static async Task<RemoteBody> OpenAsync(
        HttpResponseMessage response,
        RemoteRegistryOptions options,
        TimeProvider time,
        CancellationToken cancellationToken,
        TransferSlot? slot = null) =>
        new(response, await response.Content.ReadAsStreamAsync(cancellationToken), options, time, slot, cancellationToken);

    /// <summary>Reads what has arrived, at least one byte; 0 at the end. Done when that was not too fast.</summary>
    /// <exception cref="RemoteReadException">The connection broke or went silent.</exception>
    /// <exception cref="OperationCanceledException">The token given at the start was cancelled.</exception>
    public ValueTask<int> ReadAsync(Memory<byte> buffer) =>
        _slot is { IsPaced: true } ? ReceivePacedAsync(_slot, buffer) : ReceiveAsync(buffer);

    /// <summary>The whole body, for answers that are small by nature.</summary>
    /// <exception cref="RemoteReadException">It broke, went silent, or is larger than <paramref name="limit"/> bytes.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadWholeAsync(int limit)
    {
        var (content, whole) = await ReadStartAsync(limit);
        return whole ? content : throw new RemoteReadException(
            new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{_server} answered with more than {limit} bytes"));
    }

    /// <summary>The beginning of an error's body; what can not be read is not missed.</summary>
    internal async Task<byte[]> ReadErrorAsync()
    {
        try
        {
            return (await ReadStartAsync(MaxErrorSize)).Content.ToArray();
        }
        catch (RemoteReadException)
        {
            return [];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _registration.DisposeAsync();
        _silence.Dispose();
        await _content.DisposeAsync();
        _response.Dispose();
        _slot?.Dispose();
    }

    private async ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        try
        {
            var reading = _content.ReadAsync(buffer, _silence.Token);
            if (reading.IsCompleted)
            {
                // It had arrived already: a fast body never touches the timer.
                return await reading;
            }

            _silence.CancelAfter(_idleTimeout);
            var read = await reading;
            _silence.CancelAfter(Timeout.InfiniteTimeSpan);
            return read;
        }
        catch (OperationCanceledException e)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            throw new RemoteReadException(
                new RemoteFailure.Unavailable(UnavailableReason.Timeout, $"{_server} sent nothing for {_idleTimeout.TotalSeconds} s"), e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new RemoteReadException(
                new RemoteFailure.Unavailable(UnavailableReason.Unreachable, $"{_server} broke off in the middle: {e.Message}"), e);
        }
    }

    private async ValueTask<int> ReceivePacedAsync(TransferSlot slot, Memory<byte> buffer)
    {
        var read = await ReceiveAsync(buffer);
        if (read > 0)
        {
            await slot.PaceAsync(read, _cancellationToken);
        }

        return read;
    }

    private async Task<(ReadOnlyMemory<byte> Content, bool Whole)> ReadStartAsync(int limit)
    {
        var announced = _response.Content.Headers.ContentLength;
        var buffer = new byte[(int)Math.Min(announced ?? 16 * 1024, limit) + 1];
        var length = 0;
        while (true)
        {
            var read = await ReadAsync(buffer.AsMemory(length));
            length += read;
            if (read == 0 || length > limit)
            {
                return (buffer.AsMemory(0, Math.Min(length, limit)), length <= limit);
            }

            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min((long)buffer.Length * 2, limit + 1L));
            }
        }
    }
}
