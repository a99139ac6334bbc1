using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Mirror.Listening;

/// <summary>
/// Tells who speaks plain HTTP where HTTPS is spoken so, instead of closing the connection without a word. Looks at a connection's first byte,
/// and has no part in the rest.
/// </summary>
internal static class PlainHttp
{
    /// <summary>So much of a request is read for the answer to arrive: a connection that is closed with unread bytes loses what was sent.</summary>
    private const int MaxRequest = 1024 * 1024;

    private static readonly byte[] Answer = AnswerOf(
        """{"errors":[{"code":"UNSUPPORTED","message":"plain HTTP was sent to a port that speaks HTTPS: use https:// instead of http://"}]}""");

    /// <param name="next">Speaks TLS.</param>
    /// <param name="patience">For the first byte, and with who is told.</param>
    public static ConnectionDelegate Before(ConnectionDelegate next, TimeSpan patience) => async connection =>
    {
        if (await IsTlsAsync(connection, patience) is { } isTls)
        {
            await (isTls ? next(connection) : TellAsync(connection, patience));
        }
    };

    /// <summary>Null where nothing came.</summary>
    private static async Task<bool?> IsTlsAsync(ConnectionContext connection, TimeSpan patience)
    {
        using var limit = LimitOf(connection, patience);
        try
        {
            var read = await connection.Transport.Input.ReadAsync(limit.Token);
            bool? isTls = read.Buffer.IsEmpty ? null : !char.IsAsciiLetterUpper((char)read.Buffer.FirstSpan[0]);
            connection.Transport.Input.AdvanceTo(read.Buffer.Start);
            return isTls;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return null;
        }
    }

    private static async Task TellAsync(ConnectionContext connection, TimeSpan patience)
    {
        using var limit = LimitOf(connection, patience);
        try
        {
            await connection.Transport.Output.WriteAsync(Answer, limit.Token);
            await connection.Transport.Output.CompleteAsync();
            await ReadOnAsync(connection.Transport.Input, limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client has gone, or stays for more than there is.
        }
    }

    private static async Task ReadOnAsync(PipeReader input, CancellationToken stopping)
    {
        for (var total = 0L; total < MaxRequest;)
        {
            var read = await input.ReadAsync(stopping);
            total += read.Buffer.Length;
            input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    /// <summary>The server's end counts too: it need not wait for who has not begun.</summary>
    private static CancellationTokenSource LimitOf(ConnectionContext connection, TimeSpan patience)
    {
        var ending = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        var limit = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed, ending);
        limit.CancelAfter(patience);
        return limit;
    }

    private static byte[] AnswerOf(string body) => Encoding.ASCII.GetBytes(
        $"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}");
}
