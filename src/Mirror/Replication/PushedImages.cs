using Microsoft.Extensions.Logging;
using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;

namespace Mirror.Replication;

/// <summary>
/// Starts the jobs that copy what somebody has just pushed, for that alone. What is pushed while such a run goes on is copied by one run after it. What
/// is still waiting when the mirror stops is forgotten: it is for the schedule.
/// </summary>
internal sealed partial class PushedImages(Replicator replicator, TimeProvider time, ILogger<PushedImages> logger)
{
    /// <summary>CNCF Distribution tells of a manifest before the tag points to it: who looks at once finds what was there before.</summary>
    internal static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    /// <summary>Where more wait of one repository, all of it is looked at.</summary>
    private const int MaxTags = 500;

    private readonly Lock _gate = new();
    private readonly Dictionary<SyncJob, Dictionary<RepositoryName, HashSet<Tag>>> _waiting = [];
    private readonly Dictionary<SyncJob, Task> _copying = [];

    /// <summary>Whether any job copies from a registry of that name.</summary>
    public bool IsSource(string name) => replicator.Jobs.Any(job => job.From is Endpoint.Registry registry && registry.Name == name);

    /// <param name="source">Where it was pushed to: a registry as the configuration calls it; null where nobody says which it is.</param>
    /// <param name="repository">To which repository, by its full name there.</param>
    /// <param name="tags">Under which tags.</param>
    /// <returns>The names of the jobs that are started, in a moment or after their present run.</returns>
    public IReadOnlyList<string> Pushed(string? source, RepositoryName repository, IReadOnlyCollection<Tag> tags)
    {
        var jobs = FindJobs(job => job.From is Endpoint.Registry registry && (source is null || registry.Name == source), repository, tags);
        _ = jobs.Count > 0 ? StartSettledAsync(jobs, repository, tags) : Task.CompletedTask;
        return jobs.ConvertAll(job => job.Name);
    }

    /// <summary>The same for this mirror's own repositories, whose tags point there when it is told.</summary>
    public void PushedHere(RepositoryName repository, IReadOnlyCollection<Tag> tags) =>
        Start(FindJobs(job => job.From is Endpoint.Local, repository, tags), repository, tags);

    /// <summary>Waits until nothing is copied, or waits to be, of what was pushed here.</summary>
    public async Task WaitUntilIdleAsync()
    {
        while (true)
        {
            Task[] copying;
            lock (_gate)
            {
                copying = [.. _copying.Values];
            }

            if (copying.Length == 0)
            {
                return;
            }

            await Task.WhenAll(copying);
        }
    }

    private List<SyncJob> FindJobs(Func<SyncJob, bool> isFrom, RepositoryName repository, IReadOnlyCollection<Tag> tags) => tags.Count == 0 ? []
        : [.. replicator.Jobs.Where(job =>
            isFrom(job) && job.RepositorySelector.Select([repository]).Repositories.Any(pair => pair.Source == repository))];

    private async Task StartSettledAsync(List<SyncJob> jobs, RepositoryName repository, IReadOnlyCollection<Tag> tags)
    {
        var stopping = replicator.Stopping;
        await Task.Delay(Settling, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!stopping.IsCancellationRequested)
        {
            Start(jobs, repository, tags);
        }
    }

    private void Start(List<SyncJob> jobs, RepositoryName repository, IReadOnlyCollection<Tag> tags)
    {
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
                    _copying[job] = Task.Run(() => RunAsync(job));
                }
            }
        }
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
                Forget(job);
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

            Forget(job);
            return null;
        }
    }

    private void Forget(SyncJob job)
    {
        _waiting.Remove(job);
        _copying.Remove(job);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "What was pushed is not copied by job {Job}, until it runs again")]
    private partial void LogFailed(Exception exception, string job);
}
