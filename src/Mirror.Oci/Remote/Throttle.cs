namespace Mirror.Oci.Remote;

/// <summary>Until when a registry wants to be left alone (<c>Retry-After</c>), whoever asked it and for whatever.</summary>
internal sealed class Throttle(TimeProvider time)
{
    /// <summary>Nothing that a registry says keeps us away for longer than this without asking it again.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private DateTimeOffset _until = DateTimeOffset.MinValue;

    public void Note(TimeSpan retryAfter)
    {
        var until = time.GetUtcNow() + (retryAfter < Longest ? retryAfter : Longest);
        lock (_gate)
        {
            _until = until > _until ? until : _until;
        }
    }

    /// <summary>How long it is still to be left alone; null where it may be asked.</summary>
    public TimeSpan? FindRemaining()
    {
        lock (_gate)
        {
            return _until - time.GetUtcNow() is var remaining && remaining > TimeSpan.Zero ? remaining : null;
        }
    }
}
