using System.Collections.Frozen;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Repositories;
using Mirror.Sync.State;

namespace Mirror.Sync.Planning;

/// <summary>
/// Says what a run of a job would do, and writes nothing anywhere. What is remembered is believed: the source is asked for its tags and
/// what they point to, immutable ones excepted, and the target only for what is not remembered, or for everything in a full plan and where
/// the target is in this process.
/// </summary>
public sealed class Planner(
    SyncJob job,
    ISourceRegistry source,
    ITargetRegistry target,
    IReadOnlyList<TagPattern> immutableTags,
    ISyncState state,
    CreationTimes creationTimes,
    TimeProvider time) : IDisposable
{
    /// <summary>How many questions are asked at once. Each is a small one.</summary>
    private const int QuestionsAtOnce = 8;

    private const int NamedRepositories = 10;

    private const string Gone = "it is gone at the source";

    private static readonly ILookup<Digest, Tag> NoTags =
        Array.Empty<(Digest Digest, Tag Tag)>().ToLookup(pair => pair.Digest, pair => pair.Tag);

    private readonly CopyTerms _terms = new(job, source, target);
    private readonly SemaphoreSlim _questions = new(QuestionsAtOnce, QuestionsAtOnce);

    public async Task<SyncPlan> PlanAsync(RunScope scope, CancellationToken cancellationToken)
    {
        var (pairs, faults, notes) = await SelectRepositoriesAsync(scope, cancellationToken);
        var repositories = await Task.WhenAll(pairs.Select(pair => PlanAsync(pair, scope, cancellationToken)));
        var isFull = scope.IsFull && faults.Count == 0;
        return HoldDeletions(
            new SyncPlan(repositories, [.. faults, .. FindNotCopied(repositories, scope)], isFull) { Notes = notes }, scope);
    }

    public void Dispose() => _questions.Dispose();

    /// <summary>Whether it is time to ask again. A time to come was written by a clock that was wrong, and is not believed.</summary>
    internal static bool IsPast(DateTimeOffset? askedAt, TimeSpan freshness, DateTimeOffset now) =>
        !(askedAt is { } asked && asked <= now && now < asked + freshness);

    /// <summary>What was named and is not copied: nobody is to take a misspelt name for one that is up to date.</summary>
    private IEnumerable<string> FindNotCopied(PlannedRepository[] repositories, RunScope scope)
    {
        if (scope is not { IsNamed: true, Repository: { } named })
        {
            return [];
        }

        if (repositories.Length == 0)
        {
            return [$"the job copies no repository {named}: its full name at {source.Name} is wanted, and the job has to select it"];
        }

        // Signatures and the like come along with their images, and are not planned by themselves.
        return repositories.Where(repository => repository.Failure is null).SelectMany(repository =>
            (scope.Tags ?? []).Where(tag => SubjectTag.FindSubject(tag) is null).Select(tag =>
                repository.Tags.FirstOrDefault(planned => planned.Tag == tag) switch
                {
                    null => $"{named}:{tag} is not at {source.Name}",
                    { Action: PlannedAction.Filtered, Why: var why } => $"{named}:{tag} is not copied: {why}",
                    _ => null,
                })).OfType<string>();
    }

    /// <summary>Where the source does not list its repositories, those that are named in full are copied all the same.</summary>
    private async Task<(IReadOnlyList<RepositoryPair> Pairs, IReadOnlyList<string> Faults, IReadOnlyList<string> Notes)> SelectRepositoriesAsync(
        RunScope scope, CancellationToken cancellationToken)
    {
        var selector = job.RepositorySelector;
        IReadOnlyList<RepositoryName> catalog = [];
        var isListed = false;
        var faults = new List<string>();
        if (scope.Repository is { } only)
        {
            catalog = [only];
        }
        else if (selector.NeedsCatalog)
        {
            switch (await source.ListRepositoriesAsync(cancellationToken))
            {
                case RemoteAnswer<IReadOnlyList<RepositoryName>>.Found(var names):
                    (catalog, isListed) = (names, true);
                    break;

                case RemoteAnswer<IReadOnlyList<RepositoryName>>.Failed(var failure):
                    faults.Add(
                        $"the repositories of {source.Name} are not known, and only those that the job names in full are looked at: "
                        + failure.WhyInFull);
                    break;
            }
        }

        var selected = selector.Select(catalog);
        return selected.Faults.Count > 0 ? ([], [.. faults, .. selected.Faults], [])
            : scope.Repository is { } one ? ([.. selected.Repositories.Where(pair => pair.Source == one)], faults, [])
            : (selected.Repositories, faults, isListed ? FindUnlisted(selected) : []);
    }

    /// <summary>What the job may have been meant to copy and the source does not list: a misspelt pattern, and what it listed once.</summary>
    private List<string> FindUnlisted(SelectedRepositories selected)
    {
        var notes = selected.Unmatched.Select(filter => $"{source.Name} lists no repository that {filter} matches").ToList();
        var gone = state.ListRepositories(job.Name).Except(selected.Repositories.Select(pair => pair.Source))
            .Where(repository => state.ListTags(job.Name, repository).Any(tag => tag.Put is not null && _terms.HasSameEnds(tag)))
            .Select(repository => $"{repository}").ToList();
        if (gone.Count > 0)
        {
            var named = string.Join(", ", gone.Take(NamedRepositories)) + (gone.Count > NamedRepositories ? " and others" : "");
            notes.Add($"{named}: copied once, and no longer listed by {source.Name} or selected by the job; what is at {target.Name} stays");
        }

        return notes;
    }

    private async Task<PlannedRepository> PlanAsync(RepositoryPair names, RunScope scope, CancellationToken cancellationToken)
    {
        if (target.FindFault(names.Target) is { } fault)
        {
            return Failed(fault);
        }

        var repository = source.GetSource(names.Source);
        // What was put elsewhere says nothing of what is to be put here, nor does it go from here.
        var known = state.ListTags(job.Name, names.Source).Where(tag => _terms.IsFor(tag, names.Target)).ToDictionary(tag => tag.Tag);
        var put = known.Values.Where(tag => tag.Put is not null).ToList();
        var answer = await AskAsync(() => repository.ListTagsAsync(cancellationToken), cancellationToken);
        if (answer is not RemoteAnswer<IReadOnlyList<Tag>>.Found(var tags))
        {
            return Failed($"its tags are not known: {((RemoteAnswer<IReadOnlyList<Tag>>.Failed)answer).Failure.WhyInFull}");
        }

        if (tags.Count == 0 && put.Count > 0)
        {
            return Failed($"{source.Name} lists no tags, where it had {put.Count}: they are kept at the target");
        }

        var resolver = new TagResolver(repository, known, (ask, token) => AskAsync(ask, token));
        var created = await creationTimes.FindAsync(job, source, repository, tags, resolver, cancellationToken);
        if (created.Failure is { } why)
        {
            return Failed($"which images are the newest is not known: {why}");
        }

        var touched = scope.Tags?.Select(SubjectTag.FindSubject).OfType<Digest>().ToHashSet() ?? [];
        var images = job.TagSelector.Select(tags, created.Times)
            .Where(decision => decision.Reason is not TagReason.BelongsTo && IsMeant(decision.Tag)).ToList();
        var isFirst = put.Count == 0 && scope.Tags is null && images.Exists(decision => decision.IsSelected);
        var there = isFirst ? await ListTargetTagsAsync(names, cancellationToken) : null;
        var inquiry = new Inquiry(names, resolver, there, touched, scope.IsFull);
        var planned = await Task.WhenAll(images.Select(decision => decision.IsSelected
            ? PlanAsync(inquiry, decision.Tag, known.GetValueOrDefault(decision.Tag), cancellationToken)
            : Task.FromResult(new PlannedTag(decision.Tag, PlannedAction.Filtered) { Why = TextOf(decision.Reason) })));
        var listed = tags.ToHashSet();
        var gone = scope.Tags is null
            ? await Task.WhenAll(put.Where(tag => !listed.Contains(tag.Tag)).Select(tag => PlanGoneAsync(names, tag, cancellationToken)))
            : [];
        return new PlannedRepository(names, [.. planned, .. gone], SubjectTagsOf(tags), Failure: null)
        {
            Listed = listed,
            IsNew = there is { Count: 0 } && known.Count == 0,
        };

        bool IsMeant(Tag tag) =>
            scope.Tags is null || scope.Tags.Contains(tag) || (known.GetValueOrDefault(tag)?.Seen is { } seen && touched.Contains(seen));

        PlannedRepository Failed(string why) => new(names, [], NoTags, why);
    }

    /// <summary>One request in place of one for each tag, where nothing of a repository is remembered.</summary>
    /// <returns>What the target has; null where it does not say, and is asked for each.</returns>
    private async Task<IReadOnlySet<Tag>?> ListTargetTagsAsync(RepositoryPair names, CancellationToken cancellationToken)
    {
        var repository = target.GetTarget(names.Target);
        return await AskAsync(() => repository.ListTagsAsync(cancellationToken), cancellationToken) switch
        {
            RemoteAnswer<IReadOnlyList<Tag>>.Found(var tags) => tags.ToHashSet(),
            RemoteAnswer<IReadOnlyList<Tag>>.Failed(RemoteFailure.Missing) => FrozenSet<Tag>.Empty,
            _ => null,
        };
    }

    private async Task<PlannedTag> PlanAsync(Inquiry inquiry, Tag tag, TagState? known, CancellationToken cancellationToken)
    {
        var isKnown = known is { Seen: not null, Put: not null } && known.Terms == _terms.Of(inquiry.Names.Target);
        var (seen, etag) = (known?.Seen, known?.ETag);
        Manifest? manifest = null;
        if (!isKnown || !immutableTags.Any(pattern => pattern.Matches(tag)))
        {
            switch (await inquiry.Source.ResolveAsync(tag, cancellationToken))
            {
                case RemoteAnswer<ResolvedTag>.Found(var resolved):
                    (seen, etag, manifest) = (resolved.Descriptor.Digest, resolved.ETag, resolved.Manifest);
                    break;

                case RemoteAnswer<ResolvedTag>.Failed(var failure):
                    var why = $"what it points to is not known: {failure.WhyInFull}";
                    return new PlannedTag(tag, PlannedAction.Failed) { Known = known, Why = why };
            }
        }

        var planned = new PlannedTag(tag, PlannedAction.UpToDate) { Source = seen, ETag = etag, Manifest = manifest, Known = known };
        // With another Seen, Put is what was put for that.
        var expected = isKnown && known!.Seen == seen ? known.Put : job.Index == IndexMode.Sparse ? seen : null;
        if (isKnown && !inquiry.IsFull && !target.IsHere)
        {
            return known!.Seen == seen ? WithReferrers(planned, inquiry) : planned with { Action = PlannedAction.Update };
        }

        if (inquiry.AtTarget?.Contains(tag) == false)
        {
            return planned with { Action = PlannedAction.Copy };
        }

        var there = target.GetTarget(inquiry.Names.Target);
        return await AskAsync(() => there.ResolveAsync(tag, known: null, cancellationToken), cancellationToken) switch
        {
            RemoteAnswer<ResolvedTag>.Found(var found) when found.Descriptor.Digest == expected =>
                WithReferrers(planned with { Target = found.Descriptor }, inquiry),
            RemoteAnswer<ResolvedTag>.Found(var found) => planned with { Action = PlannedAction.Update, Target = found.Descriptor },
            RemoteAnswer<ResolvedTag>.Failed(RemoteFailure.Missing) => planned with { Action = PlannedAction.Copy },
            RemoteAnswer<ResolvedTag>.Failed(var failure) =>
                planned with { Action = PlannedAction.Failed, Why = $"what {target.Name} has is not known: {failure.WhyInFull}" },
            _ => throw new InvalidOperationException($"{target.Name} said that something is unchanged that nobody had named."),
        };
    }

    private PlannedTag WithReferrers(PlannedTag tag, Inquiry inquiry) => tag with
    {
        IsReferrersDue = job.Referrers
            && (inquiry.IsFull || inquiry.IsTouched(tag.Source) || IsPast(tag.Known?.ReferrersAt, job.ReferrersFreshness, time.GetUtcNow())),
    };

    /// <summary>Only what the job has put there is deleted, and only while it is still that.</summary>
    private async Task<PlannedTag> PlanGoneAsync(RepositoryPair names, TagState known, CancellationToken cancellationToken)
    {
        var planned = new PlannedTag(known.Tag, PlannedAction.Keep) { Known = known };
        if (!job.Delete)
        {
            return planned with { Why = $"{Gone}, and the job deletes nothing" };
        }

        var there = target.GetTarget(names.Target);
        return await AskAsync(() => there.ResolveAsync(known.Tag, known: null, cancellationToken), cancellationToken) switch
        {
            // An earlier run may have ended while it took the tag away.
            RemoteAnswer<ResolvedTag>.Found(var found)
                when found.Descriptor.Digest != known.Put && found.Descriptor.Digest != TagStandIn.Of(names.Target, known.Tag).Digest =>
                planned with { Target = found.Descriptor, Why = $"{Gone}, and the target has something else than was put there" },
            RemoteAnswer<ResolvedTag>.Failed(not RemoteFailure.Missing and var failure) =>
                planned with { Action = PlannedAction.Failed, Why = $"{Gone}, and what {target.Name} has is not known: {failure.WhyInFull}" },
            var answer => planned with
            {
                Action = PlannedAction.Delete,
                Target = (answer as RemoteAnswer<ResolvedTag>.Found)?.Content.Descriptor,
            },
        };
    }

    /// <summary>All or none: who would lose more than was to be expected is asked first.</summary>
    private SyncPlan HoldDeletions(SyncPlan plan, RunScope scope)
    {
        var wanted = plan.Count(PlannedAction.Delete);
        if (wanted == 0)
        {
            return plan;
        }

        var existing = state.ListRepositories(job.Name)
            .Sum(repository => state.ListTags(job.Name, repository).Count(tag => tag.Put is not null && _terms.HasSameEnds(tag)));
        var limit = job.DeleteLimit.Of(existing);
        if (scope.MayDeleteMore || wanted <= limit)
        {
            return plan;
        }

        var rule = $"one run deletes at most {limit} (deleteLimit: {job.DeleteLimit})";
        var why = $"{Gone}, with {wanted} of {existing} tags, and {rule}";
        return plan with
        {
            Repositories = [.. plan.Repositories.Select(repository => repository with
            {
                Tags = [.. repository.Tags.Select(tag =>
                    tag.Action == PlannedAction.Delete ? tag with { Action = PlannedAction.Keep, Why = why } : tag)],
            })],
            Faults =
            [
                .. plan.Faults,
                $"{wanted} tags that are gone at the source are kept: {rule}; `mirror sync run {job.Name} --exceed-delete-limit` deletes them",
            ],
        };
    }

    private static ILookup<Digest, Tag> SubjectTagsOf(IReadOnlyList<Tag> tags) =>
        // The plain tag stands for a list of referrers, which the target keeps by itself.
        tags.Select(tag => (Subject: SubjectTag.FindSubject(tag), Tag: tag))
            .Where(pair => pair.Subject is not null && pair.Tag.ToString().Contains('.', StringComparison.Ordinal))
            .ToLookup(pair => pair.Subject!.Value, pair => pair.Tag);

    private static string TextOf(TagReason reason) => reason switch
    {
        TagReason.NotIncluded => "the job includes no such tag",
        TagReason.Excluded(var by) => $"the job excludes {by}",
        TagReason.NotNewest(var newest) => $"it is not one of the {newest} newest",
        TagReason.NoVersion => "it names no version by which it could be one of the newest",
        TagReason.NoCreationTime => "its image does not say when it was made",
        _ => $"{reason}",
    };

    private async Task<T> AskAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        await _questions.WaitAsync(cancellationToken);
        try
        {
            return await ask();
        }
        finally
        {
            _questions.Release();
        }
    }

    /// <summary>What the tags of one repository are asked about.</summary>
    /// <param name="Names">The repository.</param>
    /// <param name="Source">What they point to there.</param>
    /// <param name="AtTarget">Which ones the target has; null where it has not said.</param>
    /// <param name="Touched">Manifests about which something was pushed.</param>
    /// <param name="IsFull">Whether the target is asked for everything.</param>
    private sealed record Inquiry(
        RepositoryPair Names, TagResolver Source, IReadOnlySet<Tag>? AtTarget, IReadOnlySet<Digest> Touched, bool IsFull)
    {
        public bool IsTouched(Digest? digest) => digest is { } seen && Touched.Contains(seen);
    }
}
