using Mirror.Sync.Planning;

namespace Mirror.Sync.Replication;

/// <summary>What a tag has come to.</summary>
/// <param name="Repository">Which repository's, with its plan.</param>
/// <param name="Tag">What was planned.</param>
/// <param name="Why">Why that was not done; null where it was.</param>
public sealed record TagResult(PlannedRepository Repository, PlannedTag Tag, string? Why);

/// <summary>How far a run has come; safe to be read at any time.</summary>
public sealed class RunProgress
{
    private int _blobs;
    private int _mounted;
    private int _tagsDone;
    private long _bytesSent;
    private long _bytesRead;

    /// <summary>Null until it is known what there is to do.</summary>
    public SyncPlan? Plan { get; internal set; }

    /// <summary>How many tags that are to be copied or deleted are done, or have failed.</summary>
    public int TagsDone => Volatile.Read(ref _tagsDone);

    /// <summary>Blobs that were sent.</summary>
    public int Blobs => Volatile.Read(ref _blobs);

    /// <summary>Blobs that the target took from another of its repositories.</summary>
    public int Mounted => Volatile.Read(ref _mounted);

    /// <summary>What was sent of blobs that are there.</summary>
    public long BytesSent => Interlocked.Read(ref _bytesSent);

    /// <summary>What has come of blobs from the source, up to this moment.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    internal void CountTag() => Interlocked.Increment(ref _tagsDone);

    internal void CountMounted() => Interlocked.Increment(ref _mounted);

    internal void CountRead(int bytes) => Interlocked.Add(ref _bytesRead, bytes);

    internal void CountSent(long bytes)
    {
        Interlocked.Increment(ref _blobs);
        Interlocked.Add(ref _bytesSent, bytes);
    }
}
