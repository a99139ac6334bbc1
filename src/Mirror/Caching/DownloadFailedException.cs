using Mirror.Oci.Remote;

namespace Mirror.Caching;

/// <summary>Whose fault it is that a download has failed, and so what becomes of what is there of it.</summary>
public enum DownloadFault
{
    /// <summary>Upstream refuses it, or is beyond patience. What is there is good for the next attempt.</summary>
    Upstream,

    /// <summary>What came can not be the blob. Nothing of it is kept.</summary>
    Content,

    /// <summary>It can not be stored. Upstream still has it, and whoever waits for it can have it from there.</summary>
    Store,

    /// <summary>We ended it: the mirror is stopping, or nobody waits for it. What is there is good for the next attempt.</summary>
    Stopped,
}

/// <summary>A download has failed for everybody who follows it.</summary>
/// <param name="fault">Whose fault it is.</param>
/// <param name="failure">What upstream did; null where it is not upstream's fault.</param>
/// <param name="why">For people.</param>
public sealed class DownloadFailedException(DownloadFault fault, RemoteFailure? failure, string why) : Exception(why)
{
    public DownloadFault Fault { get; } = fault;

    public RemoteFailure? Failure { get; } = failure;

    internal static DownloadFailedException Wrong(UpstreamRepository repository, string what)
    {
        var why = $"{repository.Upstream.Name} {what}";
        return new DownloadFailedException(DownloadFault.Content, new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, why), why);
    }
}
