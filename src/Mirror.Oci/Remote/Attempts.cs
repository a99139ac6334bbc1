using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Response = Mirror.Oci.Remote.RemoteAnswer<System.Net.Http.HttpResponseMessage>;

namespace Mirror.Oci.Remote;

/// <summary>
/// How often one registry is asked, and when it is not asked at all: while it wants to be left alone (<see cref="Throttle"/>), and for a few
/// seconds after it has failed every time. Only what may pass is a failure here: no connection, and 5xx. A refusal or a 404 is an answer.
/// </summary>
internal sealed class Attempts
{
    private const int Retries = 2;
    private const int FailuresToOpen = 6;

    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(800);
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Break = TimeSpan.FromSeconds(5);

    private readonly string _name;
    private readonly Throttle _throttle;
    private readonly ResiliencePipeline<Response> _retry;
    private readonly ResiliencePipeline<Response> _breaker;
    private volatile string? _whyOpen;

    public Attempts(string name, TimeProvider time)
    {
        _name = name;
        _throttle = new Throttle(time);
        _retry = new ResiliencePipelineBuilder<Response> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<Response>
            {
                MaxRetryAttempts = Retries,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = FirstWait,
                MaxDelay = LongestWait,
                // A silent registry has had its time already; nobody waits for it three times.
                ShouldHandle = tried => ValueTask.FromResult(
                    FailureIn(tried.Outcome) is { Reason: not UnavailableReason.Timeout } && _throttle.FindRemaining() is null),
            })
            .Build();
        _breaker = new ResiliencePipelineBuilder<Response> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<Response>
            {
                FailureRatio = 0.9,
                MinimumThroughput = FailuresToOpen,
                SamplingDuration = Window,
                BreakDuration = Break,
                ShouldHandle = tried => ValueTask.FromResult(FailureIn(tried.Outcome) is not null),
                OnOpened = opened =>
                {
                    _whyOpen = FailureIn(opened.Outcome)?.Why;
                    return default;
                },
            })
            .Build();
    }

    /// <param name="send">Sends the request; nothing of a success has been read.</param>
    /// <param name="patience">Whether a failure is tried again.</param>
    /// <param name="cancellationToken">The caller's; its cancellation is thrown.</param>
    public async Task<Response> MakeAsync(
        Func<CancellationToken, Task<Response>> send, RemotePatience patience, CancellationToken cancellationToken) =>
        patience == RemotePatience.OneAttempt
            ? await TryAsync(send, cancellationToken)
            : await _retry.ExecuteAsync(async token => await TryAsync(send, token), cancellationToken);

    private async Task<Response> TryAsync(Func<CancellationToken, Task<Response>> send, CancellationToken cancellationToken)
    {
        if (_throttle.FindRemaining() is { } remaining)
        {
            return new RemoteFailure.Throttled(remaining, $"{_name} wants to be left alone for another {Math.Ceiling(remaining.TotalSeconds)} s");
        }

        try
        {
            var answer = await _breaker.ExecuteAsync(async token => await send(token), cancellationToken);
            if (RetryAfter(answer) is { } wait)
            {
                _throttle.Note(wait);
            }

            return answer;
        }
        catch (BrokenCircuitException)
        {
            return new RemoteFailure.Unavailable(
                UnavailableReason.BreakerOpen,
                $"{_name} was not asked: it has failed several times, and is asked again in a few seconds"
                + (_whyOpen is { } why ? $"; the last failure: {why}" : ""));
        }
    }

    private static TimeSpan? RetryAfter(Response answer) => answer is not Response.Failed(var failure) ? null : failure switch
    {
        RemoteFailure.Throttled { RetryAfter: var wait } => wait,
        RemoteFailure.Unavailable { RetryAfter: var wait } => wait,
        _ => null,
    };

    /// <summary>The failure that may pass, if it is one.</summary>
    private static RemoteFailure.Unavailable? FailureIn(Outcome<Response> outcome) =>
        outcome.Result is Response.Failed
        {
            Failure: RemoteFailure.Unavailable
            {
                Reason: UnavailableReason.Unreachable or UnavailableReason.Timeout or UnavailableReason.ServerError,
            } failure,
        }
            ? failure
            : null;
}
