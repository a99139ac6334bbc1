using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Replication;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.Replication;
using Mirror.Sync.State;

namespace Mirror.Administration;

/// <summary>What commands ask about the configured jobs. A run that is followed goes on when nobody follows it any more.</summary>
internal sealed class SyncAdministration(Replicator replicator, TimeProvider time)
{
    private const int MostRuns = 1000;

    private const int UsualRuns = 20;

    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);

    public async Task ListJobsAsync(HttpContext http)
    {
        foreach (var job in replicator.Jobs)
        {
            var running = replicator.Running.FirstOrDefault(run => run.Job.Name == job.Name);
            var last = replicator.ListRuns(job.Name, 2).FirstOrDefault(run => run.Outcome != RunOutcome.Running);
            var status = new SyncJobStatus(
                job.Name,
                $"{job.From}",
                $"{job.To}",
                [.. job.Repositories.Select(filter => $"{filter}")],
                job.Schedule is { } schedule ? SyncOptions.Describe(schedule) : null,
                replicator.FindNext(job),
                running is null ? null : ProgressOf(running),
                last is null ? null : EntryOf(last));
            await JsonLines.WriteAsync(http, status, Messages.Json.SyncJobStatus);
        }
    }

    public async Task ListRunsAsync(HttpContext http)
    {
        var job = http.Request.Query["job"].ToString() is { Length: > 0 } name ? GetJob(name).Name : null;
        var count = int.TryParse(http.Request.Query["count"], out var asked) && asked > 0 ? Math.Min(asked, MostRuns) : UsualRuns;
        foreach (var run in replicator.ListRuns(job, count))
        {
            await JsonLines.WriteAsync(http, EntryOf(run), Messages.Json.SyncRunEntry);
        }
    }

    public async Task PlanAsync(HttpContext http)
    {
        var request = await JsonLines.ReadAsync(http, Messages.Json.SyncPlanRequest);
        var job = GetJob(request.Job);
        var plan = await replicator.PlanAsync(job, ScopeOf(request.Full, false, request.Repository, request.Tags), http.RequestAborted);
        foreach (var repository in plan.Repositories)
        {
            var (source, target) = ($"{repository.Names.Source}", $"{repository.Names.Target}");
            var images = repository.Failure is { } why
                ? [new SyncPlannedImage(source, target, null, TextOf(PlannedAction.Failed), null, null, why)]
                : repository.Tags.Select(tag =>
                    new SyncPlannedImage(source, target, $"{tag.Tag}", TextOf(tag.Action), tag.Source?.ToString(), tag.Size, tag.Why));
            foreach (var image in images)
            {
                await JsonLines.WriteAsync(http, new SyncPlanLine(image, Plan: null), Messages.Json.SyncPlanLine);
            }
        }

        var planned = new SyncPlanned(
            job.Name,
            plan.IsFull,
            plan.Count(PlannedAction.Copy),
            plan.Count(PlannedAction.Update),
            plan.Count(PlannedAction.UpToDate),
            plan.Count(PlannedAction.Delete),
            plan.Count(PlannedAction.Keep),
            plan.Count(PlannedAction.Filtered),
            plan.Count(PlannedAction.Failed) + plan.Repositories.Count(repository => repository.Failure is not null),
            plan.Size,
            plan.Faults,
            plan.Notes);
        await JsonLines.WriteAsync(http, new SyncPlanLine(Image: null, planned), Messages.Json.SyncPlanLine);
    }

    /// <summary>Starts jobs side by side, and tells how they go on.</summary>
    public async Task RunAsync(HttpContext http)
    {
        var request = await JsonLines.ReadAsync(http, Messages.Json.SyncRunRequest);
        var jobs = GetJobs(request.Jobs);
        var scope = ScopeOf(request.Full, request.ExceedsDeleteLimit, request.Repository, request.Tags);
        // Nobody who runs is slowed down by what nobody reads: what is told is small.
        var news = Channel.CreateUnbounded<SyncRunLine>();
        var following = Task.Run(
            async () =>
            {
                try
                {
                    await Task.WhenAll(jobs.Select(job => FollowAsync(job, scope, news, http.RequestAborted)));
                    news.Writer.Complete();
                }
                catch (Exception e)
                {
                    news.Writer.Complete(e);
                }
            },
            CancellationToken.None);
        try
        {
            await foreach (var line in news.Reader.ReadAllAsync(http.RequestAborted))
            {
                await JsonLines.WriteAsync(http, line, Messages.Json.SyncRunLine);
            }
        }
        finally
        {
            await following;
        }
    }

    /// <summary>Ends the present runs, and waits until they have ended.</summary>
    public async Task StopAsync(HttpContext http)
    {
        var request = await JsonLines.ReadAsync(http, Messages.Json.SyncStopRequest);
        foreach (var job in GetJobs(request.Jobs))
        {
            var running = replicator.Running.FirstOrDefault(run => run.Job.Name == job.Name);
            running?.Stop();
            if (running is not null)
            {
                await ((Task)running.Completion).WaitAsync(http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await JsonLines.WriteAsync(http, new SyncStopped(job.Name, running is not null), Messages.Json.SyncStopped);
        }
    }

    private async Task FollowAsync(SyncJob job, RunScope scope, Channel<SyncRunLine> news, CancellationToken cancellationToken)
    {
        IDisposable? following = null;
        try
        {
            var (run, isStarted) = await replicator.RunAsync(
                job, scope, RunCause.Command, joins: true, begun => following = begun.Follow(Tell), cancellationToken);
            following ??= run.Follow(Tell);
            news.Writer.TryWrite(new SyncRunLine(new SyncFollowed(job.Name, !isStarted), null, null, null));
            while (!run.Completion.IsCompleted)
            {
                await ((Task)run.Completion).WaitAsync(ProgressInterval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancellationToken.ThrowIfCancellationRequested();
                // Of the progress only the latest counts: where something else waits to be read, there is no need to tell it.
                if (news.Reader.Count == 0)
                {
                    news.Writer.TryWrite(new SyncRunLine(null, ProgressOf(run), null, null));
                }
            }

            news.Writer.TryWrite(new SyncRunLine(null, null, null, ReportOf(await run.Completion)));
        }
        finally
        {
            following?.Dispose();
        }

        void Tell(TagResult result) => news.Writer.TryWrite(new SyncRunLine(
            null,
            null,
            new SyncedImage(
                job.Name,
                $"{result.Repository.Names.Source}",
                $"{result.Repository.Names.Target}",
                $"{result.Tag.Tag}",
                TextOf(result.Tag.Action),
                result.Why),
            null));
    }

    private SyncJob GetJob(string? name) => replicator.FindJob(name ?? "") ?? throw new RefusedException(
        replicator.Jobs.Count == 0
            ? "there are no jobs: add one below sync.jobs, and restart the server"
            : $"there is no job '{name}': there are {string.Join(", ", replicator.Jobs.Select(job => job.Name))}");

    private List<SyncJob> GetJobs(IReadOnlyList<string?>? names) => names is { Count: > 0 }
        ? [.. names.Distinct().Select(GetJob)]
        : throw new RefusedException("name a job");

    private static RunScope ScopeOf(bool isFull, bool mayDeleteMore, string? repository, IReadOnlyList<string?>? tags) => new()
    {
        IsFull = isFull,
        IsNamed = true,
        MayDeleteMore = mayDeleteMore,
        Repository = repository is null ? null
            : RepositoryName.TryParse(repository, out var name) ? name
            : throw new RefusedException($"'{repository}' is not a repository's name"),
        Tags = tags is not { Count: > 0 } ? null
            : repository is null ? throw new RefusedException("tags are those of a repository: name it")
            : [.. tags.Select(text => Tag.TryParse(text ?? "", out var tag) ? tag : throw new RefusedException($"'{text}' is not a tag"))],
    };

    private static SyncProgress ProgressOf(RunningSync run)
    {
        var progress = run.Progress;
        var all = progress.Plan?.Tags.Count(tag => tag.Action is PlannedAction.Copy or PlannedAction.Update or PlannedAction.Delete or PlannedAction.Failed);
        return new SyncProgress(run.Job.Name, run.Cause, progress.TagsDone, all, progress.Blobs, progress.Mounted, progress.BytesRead);
    }

    private static SyncReport ReportOf(RunReport report) => new(
        EntryOf(report.Run),
        [.. report.Missing.Select(missing => new SyncMissing(missing.Repository?.Source.ToString(), missing.Tag?.ToString(), missing.Why))],
        report.Plan?.Notes ?? [],
        report.GoesOnAt);

    private static SyncRunEntry EntryOf(SyncRun run)
    {
        var figures = run.Figures;
        return new SyncRunEntry(
            run.Id,
            run.Job,
            run.Cause,
            run.StartedAt,
            run.EndedAt,
            TextOf(run.Outcome),
            figures.Copied,
            figures.UpToDate,
            figures.Deleted,
            figures.Failed,
            figures.Blobs,
            figures.Bytes,
            figures.Mounted,
            figures.SourceRequests,
            figures.TargetRequests,
            run.Why);
    }

    private static string TextOf(PlannedAction action) => action switch
    {
        PlannedAction.Copy => "copy",
        PlannedAction.Update => "update",
        PlannedAction.UpToDate => "up-to-date",
        PlannedAction.Delete => "delete",
        PlannedAction.Keep => "keep",
        PlannedAction.Filtered => "filtered",
        PlannedAction.Failed => "failed",
    };

    private static string TextOf(RunOutcome outcome) => outcome switch
    {
        RunOutcome.Running => "running",
        RunOutcome.Done => "done",
        RunOutcome.Partly => "partly",
        RunOutcome.Failed => "failed",
        RunOutcome.Stopped => "stopped",
    };
}
