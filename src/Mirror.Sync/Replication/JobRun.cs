using System.Collections.Concurrent;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.State;

namespace Mirror.Sync.Replication;

/// <summary>One run of a job: it plans, copies, deletes, and remembers what has come of it.</summary>
internal sealed class JobRun(RunningSync running, JobEnds ends, ISyncState state, TargetBlobs blobs, TransferTurns turns, TimeProvider time)
{
    /// <summary>How many reasons are named, where all that is missing is told in a line or two.</summary>
    private const int NamedReasons = 20;

    private readonly SyncJob _job = running.Job;
    private readonly ConcurrentQueue<Missing> _missing = [];
    private readonly CopyTerms _terms = new(running.Job, ends.Source, ends.Target);
    private readonly RequestTally _tally = new();
    private int _copied;
    private int _upToDate;
    private int _deleted;
    private DateTimeOffset? _goesOnAt;

    public async Task<RunReport> RunAsync(Func<CancellationToken, Task<SyncPlan>> planAsync, RunScope scope, string cause)
    {
        RequestTally.Current = _tally;
        var run = state.Begin(new SyncRun(0, _job.Name, cause, time.GetUtcNow(), null, RunOutcome.Running, RunFigures.None, null));
        try
        {
            var plan = running.Progress.Plan = await planAsync(running.Stopping);
            await ExecuteAsync(plan, running.Stopping);
            if (plan.IsFull && scope.Repository is null)
            {
                state.SaveVerified(_job.Name, run.StartedAt);
            }

            var isSomeDone = _copied + _upToDate + _deleted > 0;
            return End(run, _missing.IsEmpty ? RunOutcome.Done : isSomeDone ? RunOutcome.Partly : RunOutcome.Failed);
        }
        catch (OperationCanceledException) when (running.Stopping.IsCancellationRequested)
        {
            _missing.Enqueue(new Missing(null, null, "it was stopped, and the next run does the rest"));
            return End(run, RunOutcome.Stopped);
        }
        catch (Exception e)
        {
            _missing.Enqueue(new Missing(null, null, e.Message));
            End(run, RunOutcome.Failed);
            throw;
        }
    }

    private async Task ExecuteAsync(SyncPlan plan, CancellationToken cancellationToken)
    {
        foreach (var fault in plan.Faults)
        {
            _missing.Enqueue(new Missing(null, null, fault));
        }

        foreach (var repository in plan.Repositories.Where(repository => repository.Failure is not null))
        {
            _missing.Enqueue(new Missing(repository.Names, null, repository.Failure!));
            foreach (var tag in state.ListTags(_job.Name, repository.Names.Source).Where(tag => _terms.IsFor(tag, repository.Names.Target)))
            {
                Doubt(repository.Names, tag);
            }
        }

        var quota = new QuotaReserve(ends.Source, _job.Reserve, time);
        var wanted = plan.Repositories.Select(repository => repository.Names.Target).ToHashSet();
        var blobCopier = new BlobCopier(ends.Source, ends.Target, state, wanted, blobs, turns, running.Progress, time);
        var work = plan.Repositories.SelectMany(repository =>
        {
            var copier = new RepositoryCopier(
                _job,
                ends.Source.GetSource(repository.Names.Source),
                ends.Target.GetTarget(repository.Names.Target),
                repository,
                blobCopier,
                blobs,
                quota);
            return repository.Tags.Select(tag => (Repository: repository, Copier: copier, Tag: tag));
        }).ToList();
        var options = new ParallelOptions { MaxDegreeOfParallelism = _job.Parallel, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(
            work.Where(item => item.Tag.Action != PlannedAction.Delete),
            options,
            async (item, token) => await ExecuteAsync(item.Repository, item.Copier, item.Tag, token));
        // What takes the place of a tag is there before the tag goes.
        foreach (var (repository, _, tag) in work.Where(item => item.Tag.Action == PlannedAction.Delete))
        {
            await DeleteAsync(repository, tag, cancellationToken);
        }
    }

    private async Task ExecuteAsync(
        PlannedRepository repository, RepositoryCopier copier, PlannedTag tag, CancellationToken cancellationToken)
    {
        try
        {
            switch (tag.Action)
            {
                case PlannedAction.Copy or PlannedAction.Update:
                    var put = await copier.CopyAsync(tag, cancellationToken);
                    Interlocked.Increment(ref _copied);
                    SaveDone(repository.Names, tag, put, isReferrersAsked: _job.Referrers);
                    running.Tell(new TagResult(repository, tag, Why: null));
                    break;

                case PlannedAction.UpToDate:
                    var there = tag.Target?.Digest ?? tag.Known!.Put!.Value;
                    if (tag.Target is { } found)
                    {
                        // A registry elsewhere has an image's blobs where it has the image, or says nothing of them.
                        if (MediaTypes.IsIndex(found.MediaType) || ends.Target.IsHere)
                        {
                            await copier.CompleteAsync(found, cancellationToken);
                        }

                        await ends.Target.GetTarget(repository.Names.Target).ConfirmTagAsync(tag.Tag, found.Digest, cancellationToken);
                    }

                    if (tag.IsReferrersDue)
                    {
                        await copier.CopyReferrersAsync(there, tag.Target, cancellationToken);
                    }

                    Interlocked.Increment(ref _upToDate);
                    SaveDone(repository.Names, tag, there, tag.IsReferrersDue);
                    break;

                case PlannedAction.Failed:
                    throw new CopyFailedException(tag.Why!);
            }
        }
        catch (CopyFailedException e)
        {
            Fail(repository, tag, e);
        }
    }

    private async Task DeleteAsync(PlannedRepository repository, PlannedTag tag, CancellationToken cancellationToken)
    {
        if (await FindWhyNotDeletedAsync(repository, tag, cancellationToken) is { } why)
        {
            Fail(repository, tag, new CopyFailedException($"it is gone at the source, and {why}"));
            return;
        }

        state.RemoveTag(_job.Name, repository.Names.Source, tag.Tag);
        _deleted++;
        running.Tell(new TagResult(repository, tag, Why: null));
    }

    /// <summary>The plan may be hours old, and somebody else may have put something else there.</summary>
    private async Task<string?> FindWhyNotDeletedAsync(PlannedRepository repository, PlannedTag tag, CancellationToken cancellationToken)
    {
        // What the target does not have is only forgotten.
        if (tag.Target is not { } planned)
        {
            return null;
        }

        var there = ends.Target.GetTarget(repository.Names.Target);
        return await there.ResolveAsync(tag.Tag, known: null, cancellationToken) switch
        {
            RemoteAnswer<ResolvedTag>.Failed(RemoteFailure.Missing) => null,
            RemoteAnswer<ResolvedTag>.Failed(var failure) => $"what {ends.Target.Name} has is not known: {failure.WhyInFull}",
            RemoteAnswer<ResolvedTag>.Found(var found) when found.Descriptor.Digest != planned.Digest =>
                $"{ends.Target.Name} has something else by now",
            _ => await there.DeleteTagAsync(tag.Tag, cancellationToken) is { } failure and not RemoteFailure.Missing
                ? $"{ends.Target.Name} does not delete it: {failure.WhyInFull}"
                    + (failure is RemoteFailure.Refused { Reason: RefusalReason.Unsupported } ? "; deletes have to be enabled there" : "")
                : null,
        };
    }

    private void Fail(PlannedRepository repository, PlannedTag tag, CopyFailedException failure)
    {
        var known = tag.Known;
        if (failure is QuotaReachedException quota)
        {
            _goesOnAt = quota.GoesOnAt;
        }
        else
        {
            known ??= new TagState(_job.Name, repository.Names.Source, tag.Tag, null, null, null, null, null, null, null, 0, null);
            // Seen stays what Put was made from, so that the next run finds that they do not belong to what the tag points to now.
            known = known with { Failures = known.Failures + 1, Why = failure.Message };
            state.Save(known);
        }

        if (known is not null)
        {
            Doubt(repository.Names, known);
        }

        _missing.Enqueue(new Missing(repository.Names, tag.Tag, failure.Message));
        running.Tell(new TagResult(repository, tag, failure.Message));
    }

    /// <summary>
    /// Of what a full run has not done it is not known whether the target has it: the next run asks for that, and not for all else again.
    /// </summary>
    private void Doubt(RepositoryPair names, TagState tag)
    {
        if (running.Progress.Plan!.IsFull && tag.Put is not null)
        {
            state.Save(tag with { Terms = _terms.InDoubt(names.Target) });
        }
    }

    private void SaveDone(RepositoryPair names, PlannedTag tag, Digest put, bool isReferrersAsked)
    {
        var now = time.GetUtcNow();
        var referrersAt = isReferrersAsked ? now : tag.Known?.ReferrersAt;
        var putAt = tag.Action == PlannedAction.UpToDate && tag.Target is null ? tag.Known?.PutAt : now;
        var terms = _terms.Of(names.Target);
        state.Save(new TagState(_job.Name, names.Source, tag.Tag, tag.Source, now, tag.ETag, put, putAt, terms, referrersAt, 0, null));
    }

    /// <summary>A registry that is down fails everything in the same way, which is said once.</summary>
    private static string? WhyOf(List<Missing> missing)
    {
        var reasons = missing.GroupBy(item => item.Why).Select(group => group.ToList()).ToList();
        var named = reasons.Take(NamedReasons).Select(alike => alike.Count == 1 || alike[0].What is not { } first
            ? $"{alike[0]}"
            : $"{first} and {alike.Count - 1} more: {alike[0].Why}");
        var others = reasons.Skip(NamedReasons).Sum(alike => alike.Count);
        return missing.Count == 0 ? null : string.Join("; ", named) + (others > 0 ? $"; and {others} more" : "");
    }

    private RunReport End(SyncRun run, RunOutcome outcome)
    {
        var progress = running.Progress;
        var missing = _missing.ToList();
        var figures = new RunFigures(
            _copied,
            _upToDate,
            _deleted,
            missing.Count,
            progress.Blobs,
            progress.BytesSent,
            progress.Mounted,
            _tally.Of(ends.Source.Name),
            ends.Source.Name == ends.Target.Name ? 0 : _tally.Of(ends.Target.Name));
        var ended = run with { EndedAt = time.GetUtcNow(), Outcome = outcome, Figures = figures, Why = WhyOf(missing) };
        state.Save(ended);
        return new RunReport(ended, progress.Plan, missing, _goesOnAt);
    }
}
