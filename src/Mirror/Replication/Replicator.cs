using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.Replication;
using Mirror.Sync.Scheduling;
using Mirror.Sync.State;

namespace Mirror.Replication;

/// <summary>
/// The configured jobs: run when they are due, when somebody says so, and when something was pushed that they copy. What is remembered is opened when
/// somebody first asks for it.
/// </summary>
internal sealed partial class Replicator : IAsyncDisposable
{
    /// <summary>When a job last ran on schedule may lie behind many other runs, and mostly does not.</summary>
    private static readonly int[] RunsLookedAt = [5, 1000];

    private readonly Lazy<ISyncState> _state;
    private readonly Lazy<SyncRunner> _runner;
    private readonly TimeProvider _time;
    private readonly ILogger<Replicator> _logger;
    private readonly int _seed;
    private readonly CancellationTokenSource _stopping = new();
    private JobClock? _clock;

    /// <param name="jobs">What is configured.</param>
    /// <param name="dataPath">The data directory. With the machine's name it tells this mirror from others with the same jobs.</param>
    /// <param name="openState">Opens what is remembered; disposed with this.</param>
    /// <param name="findEnds">Where a job copies from and to.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets the events.</param>
    public Replicator(
        IReadOnlyList<SyncJob> jobs,
        string dataPath,
        Func<ISyncState> openState,
        Func<SyncJob, JobEnds> findEnds,
        TimeProvider time,
        ILogger<Replicator> logger)
    {
        Jobs = jobs;
        _state = new Lazy<ISyncState>(openState);
        _runner = new Lazy<SyncRunner>(() => new SyncRunner(findEnds, _state.Value, time));
        (_time, _logger) = (time, logger);
        Stopping = _stopping.Token;
        _seed = BinaryPrimitives.ReadInt32LittleEndian(
            SHA256.HashData(Encoding.UTF8.GetBytes($"{Environment.MachineName} {Path.GetFullPath(dataPath)}")));
    }

    /// <summary>In the order of the configuration.</summary>
    public IReadOnlyList<SyncJob> Jobs { get; }

    /// <summary>Cancelled when nothing more is started.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>The runs that go on.</summary>
    public IReadOnlyList<RunningSync> Running => _runner.IsValueCreated ? _runner.Value.Running : [];

    public SyncJob? FindJob(string name) => Jobs.FirstOrDefault(job => job.Name == name);

    /// <summary>Runs jobs on schedule from now on. What was due while nothing ran is made up for by one run.</summary>
    public void StartClock()
    {
        var scheduled = Jobs.Where(job => job.Schedule is not null)
            .Select(job => new ScheduledJob(job.Name, job.Schedule!, FindLastScheduled(job), stopping => RunScheduledAsync(job, stopping)))
            .ToList();
        _clock = new JobClock(scheduled, _time, _seed, (name, e) => LogSurprise(e, name));
    }

    /// <summary>When the job is to run next; null where it has no schedule. A time that has passed is that of a run that goes on.</summary>
    public DateTimeOffset? FindNext(SyncJob job) => job.Schedule?.Due(job.Name, FindLastScheduled(job), _time.GetUtcNow(), _seed);

    /// <summary>The last runs, the newest first.</summary>
    public IReadOnlyList<SyncRun> ListRuns(string? job, int count) => _state.Value.ListRuns(job, count);

    public Task<SyncPlan> PlanAsync(SyncJob job, RunScope scope, CancellationToken cancellationToken) =>
        _runner.Value.PlanAsync(job, scope, cancellationToken);

    /// <summary>Starts a run, after the one of this job that goes on.</summary>
    /// <param name="job">What to run.</param>
    /// <param name="scope">How much of it.</param>
    /// <param name="cause">One of <see cref="RunCause"/>.</param>
    /// <param name="joins">Whether a run that goes on and does all that this one would is as good.</param>
    /// <param name="prepare">Gets the run, if it is started, before it does anything.</param>
    /// <param name="cancellationToken">Ends the wait, and not the run.</param>
    /// <returns>The run, and whether it was started here.</returns>
    public async Task<(RunningSync Run, bool IsStarted)> RunAsync(
        SyncJob job, RunScope scope, string cause, bool joins, Action<RunningSync>? prepare, CancellationToken cancellationToken)
    {
        while (true)
        {
            Stopping.ThrowIfCancellationRequested();
            var (run, isStarted) = _runner.Value.Start(job, scope, cause, prepare);
            if (isStarted)
            {
                _ = TellAsync(run);
            }

            if (isStarted || (joins && run.Scope.Covers(scope)))
            {
                return (run, isStarted);
            }

            await ((Task)run.Completion).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Starts nothing more, and tells what is running to stop: the next start does the rest.</summary>
    public void Stop()
    {
        _stopping.Cancel();
        foreach (var run in Running)
        {
            run.Stop();
        }
    }

    /// <summary>Waits until nothing runs, or nothing of one job.</summary>
    public async Task WaitUntilIdleAsync(SyncJob? job = null)
    {
        while (Running.FirstOrDefault(running => job is null || running.Job == job) is { } run)
        {
            await ((Task)run.Completion).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Stop();
        if (_clock is not null)
        {
            await _clock.DisposeAsync();
        }

        // One may have been started while the others were told.
        Stop();
        await WaitUntilIdleAsync();
        if (_state.IsValueCreated)
        {
            _state.Value.Dispose();
        }

        _stopping.Dispose();
    }

    /// <summary>Other runs come and go beside the schedule, and are no reason to put it off.</summary>
    private DateTimeOffset? FindLastScheduled(SyncJob job) => RunsLookedAt
        .Select(count => ListRuns(job.Name, count).FirstOrDefault(run => run.Cause == RunCause.Schedule)?.StartedAt)
        .FirstOrDefault(startedAt => startedAt is not null);

    private async Task RunScheduledAsync(SyncJob job, CancellationToken stopping)
    {
        if (_stopping.IsCancellationRequested)
        {
            // The clock itself is stopped when the last client has been served.
            return;
        }

        var (run, _) = await RunAsync(job, new RunScope(), RunCause.Schedule, joins: true, prepare: null, stopping);
        await run.Completion;
    }

    private async Task TellAsync(RunningSync run)
    {
        try
        {
            LogStarted(run.Job.Name, run.Cause, run.Job.From, run.Job.To);
            var report = await run.Completion;
            var (name, figures) = (run.Job.Name, report.Run.Figures);
            var seconds = Math.Round((report.Run.EndedAt - report.Run.StartedAt)?.TotalSeconds ?? 0, 1);
            foreach (var note in report.Plan?.Notes ?? [])
            {
                LogNote(name, note);
            }

            if (report.Run.Outcome == RunOutcome.Done)
            {
                LogDone(name, seconds, figures.Copied, figures.UpToDate, figures.Deleted, figures.Blobs, figures.Bytes, figures.Mounted);
            }
            else
            {
                LogNotDone(name, WordOf(report.Run.Outcome), seconds, figures.Copied, figures.UpToDate, figures.Deleted, figures.Failed, report.Run.Why);
            }
        }
        catch (Exception e)
        {
            LogSurprise(e, run.Job.Name);
        }
    }

    private static string WordOf(RunOutcome outcome) => outcome switch
    {
        RunOutcome.Partly => "is done in part",
        RunOutcome.Stopped => "was stopped",
        _ => "failed",
    };

    [LoggerMessage(Level = LogLevel.Information, Message = "Job {Job} runs ({Cause}): {From} to {To}")]
    private partial void LogStarted(string job, string cause, Endpoint from, Endpoint to);

    [LoggerMessage(Level = LogLevel.Information, Message = "Job {Job}: {Note}")]
    private partial void LogNote(string job, string note);

    [LoggerMessage(Level = LogLevel.Information, Message =
        "Job {Job} is done after {Seconds} s: {Copied} copied, {UpToDate} up to date, {Deleted} deleted; {Blobs} blobs with {Bytes} bytes sent, {Mounted} mounted")]
    private partial void LogDone(string job, double seconds, int copied, int upToDate, int deleted, int blobs, long bytes, int mounted);

    [LoggerMessage(Level = LogLevel.Warning, Message =
        "Job {Job} {Outcome} after {Seconds} s: {Copied} copied, {UpToDate} up to date, {Deleted} deleted, {Failed} not done: {Why}")]
    private partial void LogNotDone(
        string job, string outcome, double seconds, int copied, int upToDate, int deleted, int failed, string? why);

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {Job} failed in a way that it should not")]
    private partial void LogSurprise(Exception exception, string job);
}
