using Mirror.Oci.Remote;

namespace Mirror.Sync.Replication;

/// <summary>Something deep inside an image can not be copied, and so the image can not.</summary>
/// <param name="why">For people.</param>
/// <param name="failure">What the target answered; null where it is the source that fails, or nobody.</param>
internal class CopyFailedException(string why, RemoteFailure? failure = null) : Exception(why)
{
    /// <summary>The target does not take it there; the content itself is right.</summary>
    public bool IsOfTarget { get; } = failure is not (null or RemoteFailure.Refused { Reason: RefusalReason.WrongDigest });

    /// <summary>The target does not have what it was believed to have.</summary>
    public bool IsContentUnknown { get; } = failure is RemoteFailure.Refused { Reason: RefusalReason.ContentUnknown };
}

/// <summary>What the source's quota still allows is to be left alone.</summary>
internal sealed class QuotaReachedException(string why, DateTimeOffset goesOnAt) : CopyFailedException(why)
{
    public DateTimeOffset GoesOnAt { get; } = goesOnAt;
}
