using Mirror.Oci.Remote;

namespace Mirror.Sync.Repositories;

/// <summary>
/// How long replication, which has time, waits for one registry that fails in a way that may pass. Once that was in vain, nobody waits
/// again until the registry has answered: a run of a thousand tags does not wait for each of them.
/// </summary>
internal sealed class Patience(TimeProvider time)
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan ThrottlePause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan[] Pauses = [.. new[] { 1, 2, 4, 8 }.Select(seconds => TimeSpan.FromSeconds(seconds))];

    private volatile bool _isSpent;

    public async Task<RemoteAnswer<T>> AskAsync<T>(Func<Task<RemoteAnswer<T>>> ask, CancellationToken cancellationToken)
    {
        var waited = TimeSpan.Zero;
        for (var failures = 0; ; failures++)
        {
            var answer = await ask();
            if (answer is not RemoteAnswer<T>.Failed(var failure) || !MayPass(failure))
            {
                _isSpent = false;
                return answer;
            }

            var pause = FindPause(failure, failures);
            if (_isSpent || pause is null || waited + pause > Longest)
            {
                _isSpent = true;
                return answer;
            }

            waited += pause.Value;
            await Task.Delay(pause.Value, time, cancellationToken);
        }
    }

    private static bool MayPass(RemoteFailure failure) => failure is RemoteFailure.Throttled or RemoteFailure.Unavailable
    {
        Reason: UnavailableReason.Unreachable or UnavailableReason.Timeout or UnavailableReason.ServerError or UnavailableReason.BreakerOpen
            or UnavailableReason.NotFoundPage,
    };

    /// <summary>What a registry asks for counts; its other failures are asked about a few times.</summary>
    private static TimeSpan? FindPause(RemoteFailure failure, int failures) => failure switch
    {
        RemoteFailure.Throttled throttled => throttled.RetryAfter ?? ThrottlePause,
        _ when failures >= Pauses.Length => null,
        RemoteFailure.Unavailable { RetryAfter: { } asked } when asked > Pauses[failures] => asked,
        _ => Pauses[failures],
    };
}
