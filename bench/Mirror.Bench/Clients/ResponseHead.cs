using System.Buffers.Text;

namespace Mirror.Bench.Clients;

/// <param name="Status">The status code.</param>
/// <param name="Length">Of the head, with the empty line that ends it.</param>
/// <param name="ContentLength">Of the body, where it is said.</param>
internal readonly record struct ResponseHead(int Status, int Length, long? ContentLength)
{
    /// <summary>Reads a response's head, if all of it is there.</summary>
    public static bool TryRead(ReadOnlySpan<byte> received, out ResponseHead head)
    {
        head = default;
        var end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        _ = Utf8Parser.TryParse(received["HTTP/1.1 ".Length..], out int status, out _);
        var lines = received[..(end + 2)];
        var at = lines.IndexOf("\r\nContent-Length: "u8);
        long? length = at >= 0 && Utf8Parser.TryParse(lines[(at + "\r\nContent-Length: ".Length)..], out long parsed, out _) ? parsed : null;
        head = new ResponseHead(status, end + 4, length);
        return true;
    }
}
