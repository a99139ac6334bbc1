using System.Net.Http.Headers;
using System.Text;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>
/// A request as a fake server saw it. What was answered is filled in as it happens: a client may have its last byte before that is counted
/// here, so a test awaits <see cref="Ended"/> before it looks.
/// </summary>
public sealed class RecordedRequest
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _bytesSent;

    internal RecordedRequest(int number, HttpMethod method, string target, IReadOnlyDictionary<string, string> headers, string body) =>
        (Number, Method, Target, Headers, Body) = (number, method, target, headers, body);

    /// <summary>Counts from 1 in the order of arrival, across <see cref="FakeServer.ClearRequests"/> too.</summary>
    public int Number { get; }

    public HttpMethod Method { get; }

    /// <summary>Path and query as they were on the wire.</summary>
    public string Target { get; }

    /// <summary>The path, unescaped, without the query.</summary>
    public string Path => Uri.UnescapeDataString(Target.Split('?')[0]);

    /// <summary>The query with its question mark, or nothing.</summary>
    public string Query => Target[Target.Split('?')[0].Length..];

    /// <summary>By name in any case; several lines of one name are joined by a comma.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>What was posted; empty for all other methods.</summary>
    public string Body { get; }

    /// <summary>What has come of a PUT's or PATCH's body.</summary>
    public ReadOnlyMemory<byte> Received { get; private set; }

    /// <summary>Whether that is all; false where the connection ended before.</summary>
    public bool IsReceivedWhole { get; private set; } = true;

    /// <summary>The subject of the certificate that the client has shown; null for none.</summary>
    public string? ClientCertificate { get; internal init; }

    /// <summary>Null until an answer has begun.</summary>
    public int? Status { get; internal set; }

    /// <summary>The body bytes that went into the kernel's send buffer.</summary>
    public long BytesSent => Interlocked.Read(ref _bytesSent);

    /// <summary>Whether the answer was sent to its end; false for one that was cut or that nobody waited for.</summary>
    public bool IsComplete { get; internal set; }

    /// <summary>Completes when the server is done with the request: answered, cut, or left by the client.</summary>
    public Task Ended => _ended.Task;

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>Whether it asks for the manifest or blob of this digest, in whatever repository.</summary>
    public bool AsksFor(Digest digest) =>
        Path.EndsWith($"/manifests/{digest}", StringComparison.Ordinal) || Path.EndsWith($"/blobs/{digest}", StringComparison.Ordinal);

    /// <summary>Whether it asks for the manifest of this tag.</summary>
    public bool AsksFor(RepositoryName repository, string tag) => Path == $"/v2/{repository}/manifests/{tag}";

    public override string ToString() => $"{Number}. {Method} {Target} → {Status?.ToString() ?? "nothing yet"}";

    /// <summary>The user and password of a Basic header.</summary>
    internal (string User, string Password)? Credentials()
    {
        if (!AuthenticationHeaderValue.TryParse(Header("Authorization"), out var header)
            || !header.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var bytes = new byte[header.Parameter?.Length ?? 0];
        return Convert.TryFromBase64String(header.Parameter ?? "", bytes, out var count)
            && Encoding.UTF8.GetString(bytes, 0, count).Split(':', 2) is [var user, var password] ? (user, password) : null;
    }

    internal void Receive(byte[] body, bool isWhole) => (Received, IsReceivedWhole) = (body, isWhole);

    internal void Sent(int bytes) => Interlocked.Add(ref _bytesSent, bytes);

    internal void End() => _ended.TrySetResult();
}
