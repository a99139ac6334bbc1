using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.State;

namespace Mirror.Sync.Replication;

/// <summary>
/// Runs jobs, each of them once at a time, and any of them side by side.
/// </summary>
/// <param name="findEnds">Where a job copies from and to.</param>
/// <param name="state">What is remembered.</param>
/// <param name="time">The clock.</param>
public sealed class SyncRunner(Func<SyncJob, JobEnds> findEnds, ISyncState state, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, RunningSync> _running = new(StringComparer.Ordinal);
    private readonly CreationTimes _creationTimes = new();
    private readonly Traffic _traffic = new();

    /// <summary>The runs that go on.</summary>
    public IReadOnlyList<RunningSync> Running
    {
        get
        {
            lock (_gate)
            {
                return [.. _running.Values];
            }
        }
    }

    /// <summary>What a run would do and how much that is, without doing anything.</summary>
    public async Task<SyncPlan> PlanAsync(SyncJob job, RunScope scope, CancellationToken cancellationToken)
    {
        var ends = findEnds(job);
        return await new PlanSizes(job, ends.Source).MeasureAsync(await PlanAsync(job, ends, scope, cancellationToken), cancellationToken);
    }

    /// <summary>Starts a run, or gives the one of this job that goes on.</summary>
    /// <param name="job">What to run.</param>
    /// <param name="scope">How much of it.</param>
    /// <param name="cause"><c>schedule</c>, <c>command</c> or <c>event</c>.</param>
    /// <param name="prepare">Gets a run that is started, before it does anything.</param>
    /// <returns>The run, and whether it was started here; one that was not may have another scope.</returns>
    public (RunningSync Run, bool IsStarted) Start(SyncJob job, RunScope scope, string cause, Action<RunningSync>? prepare = null)
    {
        lock (_gate)
        {
            if (_running.TryGetValue(job.Name, out var running))
            {
                return (running, false);
            }

            var ends = findEnds(job);
            var run = _running[job.Name] = new RunningSync(job, scope, cause, new CancellationTokenSource());
            prepare?.Invoke(run);
            run.Completion = Task.Run(() => RunAsync(run, ends, scope, cause));
            return (run, true);
        }
    }

    private async Task<RunReport> RunAsync(RunningSync running, JobEnds ends, RunScope scope, string cause)
    {
        var blobs = _traffic.Enter(ends.Target);
        try
        {
            var run = new JobRun(running, ends, state, blobs, _traffic.Turns, time);
            return await run.RunAsync(token => PlanAsync(running.Job, ends, scope, token), scope, cause);
        }
        finally
        {
            _traffic.Leave(ends.Target);
            lock (_gate)
            {
                _running.Remove(running.Job.Name);
            }
        }
    }

    private async Task<SyncPlan> PlanAsync(SyncJob job, JobEnds ends, RunScope scope, CancellationToken cancellationToken)
    {
        using var planner = new Planner(job, ends.Source, ends.Target, ends.ImmutableTags, state, _creationTimes, time);
        return await planner.PlanAsync(scope with { IsFull = scope.IsFull || IsVerifyDue(job) }, cancellationToken);
    }

    private bool IsVerifyDue(SyncJob job) => Planner.IsPast(state.FindVerified(job.Name), job.Verify, time.GetUtcNow());
}
