namespace Mirror.Testing;

/// <summary>What a fake server is about to send: first as a good server would, then as the <see cref="Behaviour"/>s change it.</summary>
internal sealed class Answer(RecordedRequest request, int status = 200)
{
    public RecordedRequest Request { get; } = request;

    public int Status { get; set; } = status;

    public Dictionary<string, string> Headers { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The whole content; a range is taken out of it on the way.</summary>
    public ReadOnlyMemory<byte> Content { get; set; }

    /// <summary>Whether a <c>Range</c> of the request counts.</summary>
    public bool HasRanges { get; set; }

    /// <summary>How far a range's bytes lie behind the place that its Content-Range claims.</summary>
    public int RangeShift { get; set; }

    /// <summary>How many bytes too many (or, negative, too few) are sent.</summary>
    public int Excess { get; set; }

    public LengthHeader Length { get; set; }

    /// <summary>Held here before the first byte.</summary>
    public Gate? Hold { get; set; }

    /// <summary>No answer at all: the connection is reset.</summary>
    public bool HangsUp { get; set; }

    /// <summary>The connection ends after so many body bytes.</summary>
    public long? CutAt { get; set; }

    /// <summary>Whether that end is a reset (RST) and not an orderly close (FIN).</summary>
    public bool Resets { get; set; }

    /// <summary>Places in the body where it waits for a gate to open.</summary>
    public List<(long At, Gate Until)> Stalls { get; } = [];

    /// <summary>Releases every byte of the body.</summary>
    public Gate? Pace { get; set; }

    /// <summary>The most that is written and flushed at once.</summary>
    public int Step { get; set; } = 32 * 1024;

    public bool IsHead => Request.Method == HttpMethod.Head;

    public static Answer Of(RecordedRequest request, string contentType, ReadOnlyMemory<byte> content) =>
        new(request) { Headers = { ["Content-Type"] = contentType }, Content = content };

    /// <summary>An error in the distribution spec's form.</summary>
    public static Answer Error(RecordedRequest request, int status, string code, string message)
    {
        var answer = new Answer(request);
        answer.Become(status, $$"""{"errors":[{"code":"{{code}}","message":"{{message}}"}]}""");
        return answer;
    }

    /// <summary>Turns the answer into another one, without what belonged to the content.</summary>
    public void Become(int status, string body)
    {
        Status = status;
        Headers.Clear();
        Headers["Content-Type"] = "application/json";
        Content = System.Text.Encoding.UTF8.GetBytes(body);
        HasRanges = false;
    }
}
