using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mirror.Bench.Clients;

/// <summary>Pushes as clients do, POST and then PUT, with threads and blocking writes out of memory: as little work as a client can have.</summary>
internal sealed class PushClient : IDisposable
{
    private readonly IPEndPoint _server;
    private readonly Socket _socket;
    private readonly byte[] _answer = new byte[16 * 1024];

    private PushClient(IPEndPoint server)
    {
        _server = server;
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _socket.Connect(server);
    }

    /// <summary>Pushes one blob: some content, several times over.</summary>
    /// <returns>The seconds until it was acknowledged.</returns>
    public static double PushBlob(IPEndPoint server, string repository, byte[] content, int times, string digest)
    {
        using var client = new PushClient(server);
        var started = Stopwatch.GetTimestamp();
        client.Push(repository, content, times, digest);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>Pushes images, each with blobs of its own, by several clients at once.</summary>
    /// <returns>The seconds until the last was acknowledged.</returns>
    public static double PushImages(IPEndPoint server, string repository, IReadOnlyList<Image> images, int clients, CancellationToken stopping)
    {
        var started = Stopwatch.GetTimestamp();
        var next = -1;
        var failures = new List<Exception>();
        var threads = Enumerable.Range(0, clients).Select(_ => new Thread(PushShare)).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return failures.Count == 0 ? Stopwatch.GetElapsedTime(started).TotalSeconds : throw new AggregateException(failures);

        void PushShare()
        {
            try
            {
                using var client = new PushClient(server);
                for (int i; (i = Interlocked.Increment(ref next)) < images.Count && !stopping.IsCancellationRequested;)
                {
                    client.Push(repository, images[i], string.Create(CultureInfo.InvariantCulture, $"t{i}"));
                }
            }
            catch (Exception e) when (e is SocketException or InvalidDataException)
            {
                lock (failures)
                {
                    failures.Add(e);
                }
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Push(string repository, Image image, string tag)
    {
        foreach (var blob in image.Blobs)
        {
            Push(repository, blob, times: 1, Content.DigestOf(blob));
        }

        SendHead("PUT", $"/v2/{repository}/manifests/{tag}", image.Manifest.Length, Image.ManifestType);
        Send(image.Manifest);
        Expect(201);
    }

    private void Push(string repository, byte[] content, int times, string digest)
    {
        SendHead("POST", $"/v2/{repository}/blobs/uploads/", length: 0, contentType: null);
        var location = LocationIn(Expect(202));
        SendHead("PUT", $"{location}{(location.Contains('?', StringComparison.Ordinal) ? '&' : '?')}digest={digest}", (long)content.Length * times, "application/octet-stream");
        for (var i = 0; i < times; i++)
        {
            Send(content);
        }

        Expect(201);
    }

    private void SendHead(string method, string target, long length, string? contentType) => Send(Encoding.ASCII.GetBytes(
        $"{method} {target} HTTP/1.1\r\nHost: {_server}\r\nContent-Length: {length}\r\n{(contentType is null ? "" : $"Content-Type: {contentType}\r\n")}\r\n"));

    private void Send(ReadOnlySpan<byte> content)
    {
        while (content.Length > 0)
        {
            content = content[_socket.Send(content)..];
        }
    }

    /// <summary>Reads an answer to its end.</summary>
    /// <returns>Its head.</returns>
    private string Expect(int status)
    {
        var filled = 0;
        ResponseHead head;
        while (!ResponseHead.TryRead(_answer.AsSpan(0, filled), out head) || filled < head.Length + (head.ContentLength ?? 0))
        {
            var read = _socket.Receive(_answer.AsSpan(filled));
            filled += read > 0 ? read : throw new InvalidDataException("The connection was closed in the middle.");
        }

        var text = Encoding.ASCII.GetString(_answer, 0, filled);
        return head.Status == status ? text[..head.Length] : throw new InvalidDataException(text);
    }

    /// <summary>The path: one server says it alone, the other with itself before it.</summary>
    private string LocationIn(string head)
    {
        var line = head.Split("\r\n").Single(line => line.StartsWith("Location: ", StringComparison.OrdinalIgnoreCase));
        return new Uri(new Uri($"http://{_server}"), line["Location: ".Length..]).PathAndQuery;
    }
}
