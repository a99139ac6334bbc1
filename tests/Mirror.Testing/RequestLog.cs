namespace Mirror.Testing;

/// <summary>The requests that a fake server has had, in the order of their arrival.</summary>
internal sealed class RequestLog
{
    private readonly Lock _lock = new();
    private readonly Signal _received = new();
    private readonly List<RecordedRequest> _requests = [];
    private int _number;

    public RecordedRequest[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _requests];
        }
    }

    public RecordedRequest Add(Func<int, RecordedRequest> create)
    {
        RecordedRequest request;
        lock (_lock)
        {
            request = create(++_number);
            _requests.Add(request);
        }

        _received.Raise();
        return request;
    }

    public void Clear()
    {
        lock (_lock)
        {
            _requests.Clear();
        }
    }

    /// <summary>The <paramref name="count"/>th request that matches, as soon as it is there.</summary>
    public async Task<RecordedRequest> Received(Func<RecordedRequest, bool> matches, int count)
    {
        RecordedRequest? found = null;
        await _received.Until(
            () => (found = Snapshot().Where(matches).ElementAtOrDefault(count - 1)) is not null,
            () => $"there are not {count} such requests among these:\n{string.Join<RecordedRequest>('\n', Snapshot())}");
        return found!;
    }
}
