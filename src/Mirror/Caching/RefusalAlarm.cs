using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// Tells an operator that an upstream refuses (401, 403) what it once gave. Clients notice nothing as long as the cached tag may be served,
/// and unlike an outage a refusal does not pass by itself. Said once an hour for each repository, counted each time.
/// </summary>
internal sealed partial class RefusalAlarm(MirrorMetrics metrics, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>Where so much is refused, some of it may be said twice.</summary>
    private const int Limit = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<RepositoryKey, DateTimeOffset> _raisedAt = [];

    /// <summary>Takes note of why there is no news of what is cached.</summary>
    public void Note(UpstreamRepository repository, RemoteFailure failure)
    {
        if (failure is not RemoteFailure.Denied)
        {
            return;
        }

        metrics.CachedTagRefused(repository.Upstream.Name);
        if (IsDue(repository.Key))
        {
            LogRefused(repository.Key, repository.Upstream.Freshness.ServeStale.TotalHours, repository.Upstream.Name, failure.WhyInFull);
        }
    }

    private bool IsDue(RepositoryKey repository)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (_raisedAt.TryGetValue(repository, out var raisedAt) && now - raisedAt < Interval && now >= raisedAt)
            {
                return false;
            }

            if (_raisedAt.Count >= Limit)
            {
                _raisedAt.Clear();
            }

            _raisedAt[repository] = now;
            return true;
        }
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "What is cached of {Repository} can not be kept up to date, and its tags are answered as they were for {Hours:0.#} hours "
            + "at most: {Upstream} refuses what it once gave. Are the credentials of {Upstream} still right, and may they read this repository? "
            + "{Why}")]
    private partial void LogRefused(RepositoryKey repository, double hours, string upstream, string why);
}
