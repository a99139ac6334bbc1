using System.Net;

namespace Mirror.Oci.Remote;

/// <summary>What a remote registry answered: one of a closed set, so that an outage can never look like "not found".</summary>
public abstract record RemoteAnswer<T>
{
    private RemoteAnswer()
    {
    }

    public static implicit operator RemoteAnswer<T>(RemoteFailure failure) => new Failed(failure);

    public static implicit operator RemoteAnswer<T>(T content) => new Found(content);

    public sealed record Found(T Content) : RemoteAnswer<T>;

    /// <summary>What the question named as known is still so (304). Only questions that name something get it.</summary>
    public sealed record Unchanged : RemoteAnswer<T>;

    public sealed record Failed(RemoteFailure Failure) : RemoteAnswer<T>;
}

/// <summary>Why a remote registry gave nothing.</summary>
public abstract record RemoteFailure(string Why)
{
    private const int MaxLength = 600;

    /// <summary>
    /// For people. It may quote what the registry, or whoever could put something there, has written; so it is one line of bounded length
    /// without control characters. Never a secret.
    /// </summary>
    public string Why { get; init => field = Plain(value); } = Plain(Why);

    /// <summary>More of it, for whoever runs this and not for clients: as whom the registry was asked, what a credential helper says.</summary>
    public string? Aside { get; init => field = value is null ? null : Plain(value); }

    /// <summary>For the log.</summary>
    public string WhyInFull => Aside is null ? Why : $"{Why}; {Aside}";

    /// <summary>The status that it was answered with, where it was an answer.</summary>
    internal HttpStatusCode? Status { get; init; }

    /// <summary>The first error code of the answer (distribution spec, "Error codes").</summary>
    internal string? Code { get; init; }

    private static string Plain(string text) =>
        string.Concat((text.Length > MaxLength ? text[..MaxLength] + "…" : text).Select(c => char.IsControl(c) ? ' ' : c));

    /// <summary>The registry says that it does not exist.</summary>
    public sealed record Missing(string Why) : RemoteFailure(Why);

    /// <summary>The registry does not give it to us: 401 or 403, also from its token server.</summary>
    public sealed record Denied(string Why) : RemoteFailure(Why);

    /// <summary>The registry has had enough of us (429). <paramref name="RetryAfter"/> is what it asked for, if it said.</summary>
    public sealed record Throttled(TimeSpan? RetryAfter, string Why) : RemoteFailure(Why);

    /// <summary>The registry does not take what it was given, or does not do what it was told to; asking again brings nothing.</summary>
    public sealed record Refused(RefusalReason Reason, string Why) : RemoteFailure(Why);

    /// <summary>Nothing can be said about whether it exists.</summary>
    public sealed record Unavailable(UnavailableReason Reason, string Why) : RemoteFailure(Why)
    {
        /// <summary>How long the registry wants to be left alone, if it said (503).</summary>
        public TimeSpan? RetryAfter { get; init; }
    }
}

/// <summary>Why a registry does not take something. Only writes, and lists that a registry need not have, are refused so.</summary>
public enum RefusalReason
{
    /// <summary>Not as it is written, for a reason that has no case of its own.</summary>
    Invalid,

    /// <summary>The registry does not know this kind of request: it does not delete, or does not list its repositories.</summary>
    Unsupported,

    /// <summary>It is larger than the registry takes (413).</summary>
    TooLarge,

    /// <summary>A manifest refers to what the repository does not have: a blob, or a child of an index where the registry takes no sparse ones.</summary>
    ContentUnknown,

    /// <summary>The content is not what its digest says. What was sent of it has been given up.</summary>
    WrongDigest,
}

public enum UnavailableReason
{
    /// <summary>No connection: refused, no such host, TLS, or cut in the middle.</summary>
    Unreachable,

    /// <summary>Silence for longer than the timeout.</summary>
    Timeout,

    /// <summary>A 5xx status.</summary>
    ServerError,

    /// <summary>An answer that makes no sense or is not what was asked for.</summary>
    BadAnswer,

    /// <summary>A status that says the registry does not know this kind of request (400, 405, 501 …).</summary>
    Unsupported,

    /// <summary>A 404 that no registry has written: of a load balancer, or of a registry's web server for a path that the registry does not know.</summary>
    NotFoundPage,

    /// <summary>It was not asked: it has failed several times in the last seconds.</summary>
    BreakerOpen,

    /// <summary>There is no going where the answer leads: a forbidden redirect or address, or back to where the question came from.</summary>
    Forbidden,
}

/// <summary>Reading a body failed in the middle; <see cref="Failure"/> says how.</summary>
public sealed class RemoteReadException(RemoteFailure.Unavailable failure, Exception? inner = null) : IOException(failure.Why, inner)
{
    public RemoteFailure.Unavailable Failure { get; } = failure;
}
