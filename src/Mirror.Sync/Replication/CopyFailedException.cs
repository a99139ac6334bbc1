using Mirror.Oci.Remote;

namespace Mirror.Sync.Replication;

/// <summary>Something deep inside an image can not be copied, and so the image can not.</summary>
internal class CopyFailedException(string why, RemoteFailure? failure = null) : Exception(why)
{
    /// <summary>The target does not have what it was believed to have.</summary>
    public bool IsContentUnknown { get; } = failure is RemoteFailure.Refused { Reason: RefusalReason.ContentUnknown };
}

/// <summary>What the source's quota still allows is to be left alone.</summary>
internal sealed class QuotaReachedException(string why, DateTimeOffset goesOnAt) : CopyFailedException(why)
{
    public DateTimeOffset GoesOnAt { get; } = goesOnAt;
}
