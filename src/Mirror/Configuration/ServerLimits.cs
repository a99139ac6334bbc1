namespace Mirror.Configuration;

/// <summary>
/// What a request may take before anybody knows what it wants: the web server refuses the rest by itself, and without a body. What belongs to an
/// endpoint, such as the size of a manifest, is limited there.
/// </summary>
public sealed record ServerLimits
{
    /// <summary>In bytes. A hundred tags, each as long as tags are, go with one manifest as parameters.</summary>
    public int RequestLine { get; init; } = 16 * 1024;

    /// <summary>In bytes, all together. Authorization servers give tokens of 10 KiB and more.</summary>
    public int Headers { get; init; } = 32 * 1024;

    /// <summary>From the first byte of a request to the end of its headers, which go into a few packets.</summary>
    public TimeSpan HeadersTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>From a connection to the end of TLS's handshake; the first byte of it may take as long once more.</summary>
    public TimeSpan Handshake { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Without a request on a connection. Longer than clients keep one (90 seconds, if written in Go), and than load balancers do: who sends a request
    /// while this side closes does not know whether it was heard.
    /// </summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(130);
}
