namespace Mirror.Oci.Remote;

/// <summary>How much a question is worth to whoever asks it.</summary>
public enum RemotePatience
{
    /// <summary>Asked again, after a short wait, where the registry fails in a way that may pass.</summary>
    Retry,

    /// <summary>For who has an answer at hand that will do.</summary>
    OneAttempt,
}
