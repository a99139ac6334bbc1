namespace Mirror.Oci.Remote;

/// <summary>
/// One running request for each key: who asks while it runs waits for the same answer. The request belongs to nobody who asks, so nobody's
/// cancellation ends it for the others.
/// </summary>
public sealed class SharedRequests<TKey, TAnswer>
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, Task<TAnswer>> _running = [];

    /// <param name="key">What is asked for.</param>
    /// <param name="request">Started, on the thread pool, unless one for this key is running.</param>
    /// <param name="cancellationToken">Ends this caller's wait, not the request.</param>
    public Task<TAnswer> AskAsync(TKey key, Func<Task<TAnswer>> request, CancellationToken cancellationToken) =>
        Ask(key, request).WaitAsync(cancellationToken);

    /// <summary>The running request for <paramref name="key"/>, started now if there was none.</summary>
    public Task<TAnswer> Ask(TKey key, Func<Task<TAnswer>> request)
    {
        lock (_gate)
        {
            if (_running.TryGetValue(key, out var running))
            {
                return running;
            }

            return _running[key] = Task.Run(() => RunAsync(key, request));
        }
    }

    /// <summary>Waits until nothing is running, whatever comes of it.</summary>
    public async Task DrainAsync()
    {
        Task[] running;
        lock (_gate)
        {
            running = [.. _running.Values];
        }

        await Task.WhenAll(running).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task<TAnswer> RunAsync(TKey key, Func<Task<TAnswer>> request)
    {
        try
        {
            return await request();
        }
        finally
        {
            lock (_gate)
            {
                _running.Remove(key);
            }
        }
    }
}
