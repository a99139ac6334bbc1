using Microsoft.Extensions.Logging;
using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;

namespace Mirror.Replication;

/// <summary>
/// Starts the jobs that copy what somebody has just pushed, for that alone. What is pushed while such a run goes on is copied by one run after it. What
/// is still waiting when the mirror stops is forgotten: it is for the schedule.
/// </summary>
internal sealed partial class PushedImages(Replicator replicator, ILogger<PushedImages> logger)
{
    /// <summary>Where more wait of one repository, all of it is looked at.</summary>
    private const int MaxTags = 500;

    private readonly Lock _gate = new();
    private readonly Dictionary<SyncJob, Dictionary<RepositoryName, HashSet<Tag>>> _waiting = [];

    /// <param name="source">Where it was pushed to: a registry as the configuration calls it; null where nobody says which it is.</param>
    /// <param name="repository">To which repository, by its full name there.</param>
    /// <param name="tags">Under which tags.</param>
    /// <returns>The names of the jobs that are started, now or after their present run.</returns>
    public IReadOnlyList<string> Pushed(string? source, RepositoryName repository, IReadOnlyCollection<Tag> tags) => Start(
        job => job.From is Endpoint.Registry registry && (source is null || registry.Name == source), repository, tags);

    /// <summary>The same for this mirror's own repositories.</summary>
    public void PushedHere(RepositoryName repository, IReadOnlyCollection<Tag> tags) => Start(job => job.From is Endpoint.Local, repository, tags);

    private List<string> Start(Func<SyncJob, bool> isFrom, RepositoryName repository, IReadOnlyCollection<Tag> tags)
    {
        if (tags.Count == 0)
        {
            return [];
        }

        var jobs = replicator.Jobs
            .Where(job => isFrom(job) && job.RepositorySelector.Select([repository]).Repositories.Any(pair => pair.Source == repository))
            .ToList();
        foreach (var job in jobs)
        {
            lock (_gate)
            {
                var isRunning = _waiting.TryGetValue(job, out var repositories);
                repositories ??= _waiting[job] = [];
                if (!repositories.TryAdd(repository, [.. tags]))
                {
                    repositories[repository].UnionWith(tags);
                }

                if (!isRunning)
                {
                    _ = Task.Run(() => RunAsync(job));
                }
            }
        }

        return jobs.ConvertAll(job => job.Name);
    }

    /// <summary>Until nothing waits for the job any more.</summary>
    private async Task RunAsync(SyncJob job)
    {
        try
        {
            while (true)
            {
                // What comes until then is for the same run.
                await replicator.WaitUntilIdleAsync(job);
                if (FindNext(job) is not { } scope)
                {
                    return;
                }

                var (run, _) = await replicator.RunAsync(
                    job, scope, RunCause.Event, joins: false, prepare: null, CancellationToken.None);
                await run.Completion;
            }
        }
        catch (Exception e)
        {
            lock (_gate)
            {
                _waiting.Remove(job);
            }

            if (e is not OperationCanceledException)
            {
                LogFailed(e, job.Name);
            }
        }
    }

    private RunScope? FindNext(SyncJob job)
    {
        lock (_gate)
        {
            var repositories = _waiting[job];
            foreach (var (repository, tags) in repositories)
            {
                repositories.Remove(repository);
                return new RunScope { Repository = repository, Tags = tags.Count > MaxTags ? null : tags };
            }

            _waiting.Remove(job);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "What was pushed is not copied by job {Job}, until it runs again")]
    private partial void LogFailed(Exception exception, string job);
}
