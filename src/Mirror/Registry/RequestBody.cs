using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Mirror.Registry;

/// <summary>
/// What a client sends. Its timeout measures silence: however slowly a layer arrives, it may go on. What is read whole is held in memory meanwhile, so
/// that has a time by which it must be there.
/// </summary>
internal sealed class RequestBody(HttpContext http, TimeProvider time)
{
    /// <summary>A client that sends nothing for so long has gone.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(1);

    /// <summary>Enough for the largest manifest at 35 KB a second.</summary>
    private static readonly TimeSpan Whole = TimeSpan.FromMinutes(2);

    /// <summary>No more than this is taken for a body because its length has been announced.</summary>
    private const int FirstBuffer = 64 * 1024;

    /// <summary>The next piece, for <see cref="PipeReader.AdvanceTo(SequencePosition)"/> of <paramref name="reader"/> afterwards.</summary>
    /// <exception cref="RequestBrokenException">The client has gone, or gone silent, or sends what is no body.</exception>
    /// <exception cref="BadHttpRequestException">It sends what is no body, and can still be told so.</exception>
    public static async ValueTask<ReadResult> ReadAsync(PipeReader reader, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            if (reader.TryRead(out var there))
            {
                return there;
            }
        }
        catch (IOException e) when (e is not BadHttpRequestException)
        {
            throw new RequestBrokenException(false, e);
        }

        using var silence = new CancellationTokenSource(Silence, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
        // Not with the token: the server would take the read for one that still runs, and could not dispose of what is left of the body.
        using var ending = either.Token.Register(reader.CancelPendingRead);
        try
        {
            while (true)
            {
                var piece = await reader.ReadAsync(CancellationToken.None);
                if (!piece.IsCanceled)
                {
                    return piece;
                }

                reader.AdvanceTo(piece.Buffer.Start);
                either.Token.ThrowIfCancellationRequested();
            }
        }
        catch (Exception e) when (e is (IOException and not BadHttpRequestException) or OperationCanceledException)
        {
            throw new RequestBrokenException(silence.IsCancellationRequested, e);
        }
    }

    /// <summary>The whole body.</summary>
    /// <returns>Null where it has more than <paramref name="limit"/> bytes.</returns>
    /// <exception cref="RequestBrokenException">The client has gone, gone silent, or taken too long.</exception>
    public async Task<ReadOnlyMemory<byte>?> ReadWholeAsync(int limit)
    {
        if (http.Request.ContentLength > limit)
        {
            return null;
        }

        using var late = new CancellationTokenSource(Whole, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, http.RequestAborted);
        try
        {
            return await ReadWholeAsync(limit, either.Token);
        }
        catch (RequestBrokenException e) when (late.IsCancellationRequested)
        {
            throw new RequestBrokenException(isTimeout: true, e);
        }
    }

    private async Task<ReadOnlyMemory<byte>?> ReadWholeAsync(int limit, CancellationToken cancellationToken)
    {
        var content = new ArrayBufferWriter<byte>((int)Math.Min(http.Request.ContentLength ?? 4096, FirstBuffer) + 1);
        while (true)
        {
            var piece = await ReadAsync(http.Request.BodyReader, time, cancellationToken);
            if (content.WrittenCount + piece.Buffer.Length > limit)
            {
                http.Request.BodyReader.AdvanceTo(piece.Buffer.End);
                return null;
            }

            foreach (var segment in piece.Buffer)
            {
                content.Write(segment.Span);
            }

            http.Request.BodyReader.AdvanceTo(piece.Buffer.End);
            if (piece.IsCompleted)
            {
                return content.WrittenMemory;
            }
        }
    }
}

/// <summary>A request ended in the middle.</summary>
/// <param name="isTimeout">Whether because the client took too long.</param>
/// <param name="inner">How.</param>
public sealed class RequestBrokenException(bool isTimeout, Exception inner) : Exception("the request broke off", inner)
{
    public bool IsTimeout { get; } = isTimeout;
}
