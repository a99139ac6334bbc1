using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;

namespace Mirror.Sync.Replication;

/// <summary>A run that goes on. Whoever follows it may leave without ending it.</summary>
public sealed class RunningSync
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stopping;
    private readonly List<Action<TagResult>> _followers = [];

    /// <param name="job">What is run.</param>
    /// <param name="scope">How much of it.</param>
    /// <param name="cause">Why.</param>
    /// <param name="stopping">Never disposed, as somebody may want to stop a run that has just ended.</param>
    internal RunningSync(SyncJob job, RunScope scope, string cause, CancellationTokenSource stopping) =>
        (Job, Scope, Cause, _stopping) = (job, scope, cause, stopping);

    public SyncJob Job { get; }

    /// <summary>How much of the job is run.</summary>
    public RunScope Scope { get; }

    /// <inheritdoc cref="State.SyncRun" path="/param[@name='Cause']"/>
    public string Cause { get; }

    public RunProgress Progress { get; } = new();

    /// <summary>Completes when the run has ended, however it has; it fails only where what is remembered can not be written.</summary>
    public Task<RunReport> Completion { get; internal set; } = null!;

    internal CancellationToken Stopping => _stopping.Token;

    /// <summary>Ends the run. What is there stays, and the next run does the rest.</summary>
    public void Stop() => _stopping.Cancel();

    /// <summary>Tells each tag as soon as it is copied or deleted or has failed, from whatever thread, one after the other.</summary>
    /// <returns>To be disposed by who no longer wants to know.</returns>
    public IDisposable Follow(Action<TagResult> follower)
    {
        lock (_gate)
        {
            _followers.Add(follower);
        }

        return new Follower(this, follower);
    }

    internal void Tell(TagResult result)
    {
        Progress.CountTag();
        lock (_gate)
        {
            _followers.ForEach(follower => follower(result));
        }
    }

    private sealed class Follower(RunningSync run, Action<TagResult> follower) : IDisposable
    {
        public void Dispose()
        {
            lock (run._gate)
            {
                run._followers.Remove(follower);
            }
        }
    }
}
