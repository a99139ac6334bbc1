namespace Mirror.Oci.Remote;

/// <summary>
/// The mirrors by which a question has come here (RFC 9110, 7.6.3). It goes along with the flow of the request that is being answered, into the
/// questions that this request starts: mirrors that ask each other in a circle find out.
/// </summary>
public static class ViaChain
{
    private static readonly AsyncLocal<string?> Flow = new();

    /// <summary>As in a Via header; null where the question came straight from a client, or from nobody.</summary>
    public static string? Current
    {
        get => Flow.Value;
        set => Flow.Value = value;
    }
}
