using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mirror.Testing;

/// <summary>
/// Sends one answer, byte for byte as it says. Every step is flushed, and the server's connections have no buffer of their own
/// (<see cref="FakeServer"/>), so that what was reported to a gate is in the kernel's hands.
/// </summary>
internal sealed class AnswerWriter(HttpContext context, Answer answer, CancellationToken gone)
{
    private readonly IEnumerable<Gate> _gates =
        [.. answer.Stalls.Select(stall => stall.Until).Append(answer.Pace).OfType<Gate>().Distinct()];

    private long _position;

    public async Task WriteAsync()
    {
        if (answer.Hold is { } hold)
        {
            hold.Arrive();
            await hold.OpenedAsync(gone);
        }

        if (answer.HangsUp)
        {
            context.Abort();
            return;
        }

        var right = TakeRange();
        var body = WithExcess(right);
        // What the Content-Length promises. Kestrel keeps such promises, so the rest of a longer body goes around it.
        var promised = answer.Length is LengthHeader.Lying ? right.Length : body.Length;
        await StartAsync(answer.Length is LengthHeader.Absent ? null : promised);
        if (!answer.IsHead)
        {
            await WriteBodyAsync(body, promised);
            return;
        }

        answer.Request.IsComplete = true;
    }

    private async Task StartAsync(long? length)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
        {
            response.Headers.Append(name, value);
        }

        if (answer.Status is not (204 or 304))
        {
            response.ContentLength = length;
        }

        answer.Request.Status = answer.Status;
        await response.StartAsync(gone);
        await response.Body.FlushAsync(gone);
    }

    private async Task WriteBodyAsync(ReadOnlyMemory<byte> body, int promised)
    {
        answer.Pace?.Arrive();
        while (_position < body.Length)
        {
            await StallAsync();
            if (_position == answer.CutAt)
            {
                await CutAsync();
                return;
            }

            var count = StepFrom(_position, body.Length, promised);
            if (answer.Pace is { } pace)
            {
                count = await pace.TakeAsync(count, gone);
            }

            await SendAsync(body.Slice((int)_position, count), behindTheEnd: _position >= promised);
            _position += count;
        }

        await StallAsync();
        if (_position == answer.CutAt || body.Length < promised)
        {
            await CutAsync();
            return;
        }

        answer.Request.IsComplete = true;
    }

    /// <summary>As far as the next place where something happens, at most one step.</summary>
    private int StepFrom(long position, params ReadOnlySpan<long> ends)
    {
        var next = position + answer.Step;
        foreach (var place in (long[])[.. ends, answer.CutAt ?? long.MaxValue, .. answer.Stalls.Select(stall => stall.At)])
        {
            next = place > position ? Math.Min(next, place) : next;
        }

        return (int)(next - position);
    }

    private async Task SendAsync(ReadOnlyMemory<byte> bytes, bool behindTheEnd)
    {
        if (behindTheEnd)
        {
            await Socket().SendAsync(bytes, gone);
        }
        else
        {
            await context.Response.Body.WriteAsync(bytes, gone);
            await context.Response.Body.FlushAsync(gone);
        }

        answer.Request.Sent(bytes.Length);
        foreach (var gate in _gates)
        {
            gate.Report(bytes.Length);
        }
    }

    private async Task StallAsync()
    {
        foreach (var (_, until) in answer.Stalls.Where(stall => stall.At == _position))
        {
            until.Arrive();
            await until.OpenedAsync(gone);
        }
    }

    private async Task CutAsync()
    {
        if (!answer.Resets)
        {
            // Kestrel's own abort is a reset, which may overtake bytes that the client has not read. So the end is sent behind them, and
            // the reset waits for the client to go.
            Socket().Shutdown(SocketShutdown.Send);
            await new Gate().OpenedAsync(gone);
        }

        context.Abort();
    }

    private Socket Socket() => context.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket;

    private ReadOnlyMemory<byte> WithExcess(ReadOnlyMemory<byte> body) => answer.Excess switch
    {
        0 => body,
        < 0 => body[..Math.Max(0, body.Length + answer.Excess)],
        _ => (byte[])[.. body.Span, .. new byte[answer.Excess]],
    };

    /// <summary>The content, or the one range of it that the request asks for. Several ranges are ignored, as servers may.</summary>
    private ReadOnlyMemory<byte> TakeRange()
    {
        if (!answer.HasRanges || answer.Status != 200)
        {
            return answer.Content;
        }

        answer.Headers["Accept-Ranges"] = "bytes";
        if (!RangeHeaderValue.TryParse(answer.Request.Header("Range"), out var header) || header is not { Unit: "bytes", Ranges.Count: 1 })
        {
            return answer.Content;
        }

        var range = header.Ranges.First();
        var size = answer.Content.Length;
        var from = range.From ?? Math.Max(0, size - range.To!.Value);
        var to = range.From is null ? size - 1 : Math.Min(range.To ?? long.MaxValue, size - 1);
        if (from > to)
        {
            answer.Become(416, "");
            answer.Headers["Content-Range"] = string.Create(CultureInfo.InvariantCulture, $"bytes */{size}");
            return answer.Content;
        }

        answer.Status = 206;
        answer.Headers["Content-Range"] = string.Create(CultureInfo.InvariantCulture, $"bytes {from}-{to}/{size}");
        var start = (int)Math.Clamp(from + answer.RangeShift, 0, size - (to - from + 1));
        return answer.Content.Slice(start, (int)(to - from + 1));
    }
}
