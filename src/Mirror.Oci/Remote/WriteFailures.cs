using System.Net;

namespace Mirror.Oci.Remote;

/// <summary>The one table from what a write was answered to what it means, where that is more than for a read.</summary>
internal static class WriteFailures
{
    public static RemoteFailure Of(RemoteFailure failure) => ReasonOf(failure) is { } reason
        ? new RemoteFailure.Refused(reason, failure.Why) { Status = failure.Status, Code = failure.Code }
        : failure;

    /// <summary>A DELETE: registries that delete no tags say of a tag that it is no digest.</summary>
    public static RemoteFailure OfDelete(RemoteFailure failure, Reference reference) =>
        reference.Tag is not null && failure.Status == HttpStatusCode.BadRequest
            ? new RemoteFailure.Refused(RefusalReason.Unsupported, failure.Why) { Status = failure.Status, Code = failure.Code }
            : Of(failure);

    /// <summary>
    /// Whether the registry no longer knows the upload, or no longer takes it. Whatever its code says, it has one of which it says that these
    /// are not the next bytes, or that they have not come in time.
    /// </summary>
    public static bool IsUploadGone(RemoteFailure failure) =>
        failure.Status is not (HttpStatusCode.RequestedRangeNotSatisfiable or HttpStatusCode.RequestTimeout)
        && (failure is RemoteFailure.Missing or RemoteFailure.Unavailable { Reason: UnavailableReason.NotFoundPage }
            || failure.Code?.StartsWith("BLOB_UPLOAD_", StringComparison.Ordinal) == true);

    private static RefusalReason? ReasonOf(RemoteFailure failure) => (failure.Status, failure.Code) switch
    {
        (null, _) => null,
        (_, "MANIFEST_BLOB_UNKNOWN" or "BLOB_UNKNOWN") => RefusalReason.ContentUnknown,
        (HttpStatusCode.RequestEntityTooLarge, _) => RefusalReason.TooLarge,
        (_, "DIGEST_INVALID") => RefusalReason.WrongDigest,
        (HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented, _) or (_, "UNSUPPORTED") => RefusalReason.Unsupported,
        (HttpStatusCode.NotFound or HttpStatusCode.RequestedRangeNotSatisfiable, _) => null,
        _ => failure is RemoteFailure.Unavailable { Reason: UnavailableReason.Unsupported } ? RefusalReason.Invalid : null,
    };
}
