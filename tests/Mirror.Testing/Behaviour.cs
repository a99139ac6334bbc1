using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>What a Content-Length says about a body that is longer or shorter than its descriptor.</summary>
public enum LengthHeader
{
    /// <summary>The number of bytes that are sent.</summary>
    Matching,

    /// <summary>The number of bytes that should have been sent. A shorter body ends with a cut; a longer one goes on behind it.</summary>
    Lying,

    /// <summary>There is none: the body is chunked.</summary>
    Absent,
}

/// <summary>One way to misbehave. Several may be applied to one answer; positions count its body's bytes.</summary>
public sealed class Behaviour
{
    private readonly Action<Answer> _change;
    private readonly Action<Intake> _before;

    private Behaviour(Action<Answer> change)
        : this(change, _ => { })
    {
    }

    private Behaviour(Action<Answer> change, Action<Intake> before) => (_change, _before) = (change, before);

    /// <summary>405 for HEAD; other methods as usual.</summary>
    public static Behaviour NoHead { get; } = new(answer =>
    {
        if (answer.IsHead)
        {
            answer.Become(405, "");
        }
    });

    /// <summary>The body is chunked; a HEAD has no length.</summary>
    public static Behaviour NoContentLength { get; } = new(answer => answer.Length = LengthHeader.Absent);

    public static Behaviour NoDigestHeader { get; } = NoHeader("Docker-Content-Digest");

    /// <summary>200 and everything, whatever range was asked for.</summary>
    public static Behaviour IgnoreRange { get; } = new(answer => answer.HasRanges = false);

    /// <summary>The connection is reset instead of an answer.</summary>
    public static Behaviour HangUp { get; } = new(answer => answer.HangsUp = true);

    /// <summary>Another answer. Without a <paramref name="body"/> it is an error in the distribution spec's form.</summary>
    public static Behaviour Status(
        int status, string? body = null, params IReadOnlyList<(string Name, string Value)> headers) => new(answer =>
    {
        answer.Become(status, body ?? """{"errors":[{"code":"UNKNOWN","message":"as the test wants it"}]}""");
        foreach (var (name, value) in headers)
        {
            answer.Headers[name] = value;
        }
    });

    public static Behaviour Header(string name, string value) => new(answer => answer.Headers[name] = value);

    public static Behaviour NoHeader(string name) => new(answer => answer.Headers.Remove(name));

    public static Behaviour WrongContentType(string contentType) => Header("Content-Type", contentType);

    /// <summary>So many bytes of headers, besides the usual ones.</summary>
    public static Behaviour LargeHeaders(int bytes) => new(answer =>
    {
        const int PerHeader = 4096;
        for (var number = 0; number * PerHeader < bytes; number++)
        {
            answer.Headers[$"X-Filler-{number}"] = new string('x', Math.Min(PerHeader, bytes - (number * PerHeader)));
        }
    });

    public static Behaviour RedirectTo(Uri location, int status = 307) => RedirectTo(location.OriginalString, status);

    /// <param name="location">As it is written into the header; may be relative or nonsense.</param>
    /// <param name="status">301, 302, 303, 307 or 308.</param>
    public static Behaviour RedirectTo(string location, int status = 307) => Status(status, "", ("Location", location));

    /// <summary>Nothing, not even headers, before <paramref name="gate"/> is open; without a gate, until the client leaves.</summary>
    public static Behaviour Stall(Gate? gate = null) => new(answer => answer.Hold = gate ?? new Gate());

    /// <summary>So many bytes, then nothing more before <paramref name="gate"/> is open; without a gate, until the client leaves.</summary>
    public static Behaviour StallAfter(long bytes, Gate? gate = null) => new(answer => answer.Stalls.Add((bytes, gate ?? new Gate())));

    /// <summary>Headers at once, then only the bytes that <paramref name="gate"/> releases, at most so many in one write.</summary>
    public static Behaviour Drip(int bytesPerStep, Gate gate) => new(answer => (answer.Pace, answer.Step) = (gate, bytesPerStep));

    /// <summary>So many bytes arrive, then the connection ends in good order (FIN), as behind a proxy that gives up.</summary>
    public static Behaviour CutAfter(long bytes) => new(answer => (answer.CutAt, answer.Resets) = (bytes, false));

    /// <summary>The connection is reset (RST) after so many bytes, of which the last may not arrive.</summary>
    public static Behaviour ResetAfter(long bytes) => new(answer => (answer.CutAt, answer.Resets) = (bytes, true));

    /// <summary>The right length, with the byte at <paramref name="position"/> of the whole content changed.</summary>
    public static Behaviour WrongBytes(int position = 0) => new(answer =>
    {
        var content = answer.Content.ToArray();
        content[position] ^= 0xFF;
        answer.Content = content;
    });

    /// <summary>Bytes behind the end, and a Content-Length to go with them.</summary>
    public static Behaviour TooMany(int bytes, LengthHeader length = LengthHeader.Matching) => new(answer =>
        (answer.Excess, answer.Length) = (bytes, length));

    /// <summary>An end before the end, and a Content-Length to go with it.</summary>
    public static Behaviour TooFew(int bytes, LengthHeader length = LengthHeader.Matching) => new(answer =>
        (answer.Excess, answer.Length) = (-bytes, length));

    /// <summary>Other content under the headers, the digest's among them, of what was asked for.</summary>
    public static Behaviour OtherManifest(ReadOnlyMemory<byte> content) => new(answer => answer.Content = content);

    /// <summary>A Docker-Content-Digest that is not the content's.</summary>
    public static Behaviour WrongDigestHeader(Digest digest) => Header("Docker-Content-Digest", digest.ToString());

    /// <summary>A 206 that claims the range that was asked for and sends the bytes that lie <paramref name="shift"/> behind it.</summary>
    public static Behaviour ShiftedRange(int shift) => new(answer => answer.RangeShift = shift);

    /// <summary>Another answer, as with <see cref="Status"/>, before the request's body is read, and without any effect.</summary>
    public static Behaviour RefuseUnread(int status, string? body = null, params IReadOnlyList<(string Name, string Value)> headers) =>
        new(_ => { }, intake => intake.Refusal = Status(status, body, headers));

    /// <summary>The connection is reset when so many bytes of the request's body have come; they count as received.</summary>
    public static Behaviour DropAfter(long bytes) => new(_ => { }, intake => intake.DropAt = bytes);

    internal void Apply(Answer answer) => _change(answer);

    internal void Apply(Intake intake) => _before(intake);
}
