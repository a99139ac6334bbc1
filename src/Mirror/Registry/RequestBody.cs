using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Mirror.Registry;

/// <summary>
/// What a client sends. Its timeout measures silence: however slowly a layer arrives, it may go on.
/// </summary>
internal sealed class RequestBody(HttpContext http, TimeProvider time)
{
    /// <summary>A client that sends nothing for so long has gone.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(1);

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
        try
        {
            return await reader.ReadAsync(either.Token);
        }
        catch (Exception e) when (e is (IOException and not BadHttpRequestException) or OperationCanceledException)
        {
            throw new RequestBrokenException(silence.IsCancellationRequested, e);
        }
    }

    /// <summary>The whole body.</summary>
    /// <returns>Null where it has more than <paramref name="limit"/> bytes.</returns>
    /// <exception cref="RequestBrokenException">The client has gone, or gone silent.</exception>
    public async Task<ReadOnlyMemory<byte>?> ReadWholeAsync(int limit)
    {
        if (http.Request.ContentLength > limit)
        {
            return null;
        }

        var content = new ArrayBufferWriter<byte>((int)(http.Request.ContentLength ?? 4096) + 1);
        while (true)
        {
            var piece = await ReadAsync(http.Request.BodyReader, time, http.RequestAborted);
            var isTooMuch = content.WrittenCount + piece.Buffer.Length > limit;
            foreach (var segment in isTooMuch ? ReadOnlySequence<byte>.Empty : piece.Buffer)
            {
                content.Write(segment.Span);
            }

            http.Request.BodyReader.AdvanceTo(piece.Buffer.End);
            if (isTooMuch || piece.IsCompleted)
            {
                // The cast matters: a plain null would become an empty memory, which is not null.
                return isTooMuch ? (ReadOnlyMemory<byte>?)null : content.WrittenMemory;
            }
        }
    }
}

/// <summary>A request ended in the middle.</summary>
/// <param name="isSilence">Whether because nothing came any more.</param>
/// <param name="inner">How.</param>
public sealed class RequestBrokenException(bool isSilence, Exception inner) : Exception("the request broke off", inner)
{
    public bool IsSilence { get; } = isSilence;
}
