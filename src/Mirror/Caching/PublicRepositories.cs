using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>
/// Which repositories everybody may read at a registry that has our credentials. The registry is asked without them, for the very thing that
/// a client wants, once for each repository. A yes is kept on disk, and asked for again after a day; a no is kept in memory, and asked for
/// again after a minute. Where nobody can be asked then, they hold.
/// </summary>
public sealed partial class PublicRepositories(
    CacheStore store, TagCache tags, TimeProvider time, ILogger<PublicRepositories> logger, CancellationToken stopping)
{
    internal static readonly TimeSpan YesHolds = TimeSpan.FromDays(1);
    private static readonly TimeSpan NoHolds = TimeSpan.FromMinutes(1);

    /// <summary>So long an old answer is not asked for again where that has just failed.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly SharedRequests<(RepositoryKey, RepositoryContent?), RemoteAnswer<Verdict>> _questions = new();
    private readonly SaidLately<RepositoryKey, Known> _known = new(20_000, _ => 1);
    private readonly SaidLately<(RepositoryKey, RepositoryContent), bool> _absent = new(10_000, _ => 1);

    /// <summary>Whether everybody may read a repository; a failure where that is not known and upstream can not be asked.</summary>
    /// <param name="repository">Of a guarded upstream.</param>
    /// <param name="wanted">What a client asks for there.</param>
    /// <param name="cancellationToken">The client's.</param>
    public ValueTask<RemoteAnswer<bool>> IsPublicAsync(
        UpstreamRepository repository, RepositoryContent wanted, CancellationToken cancellationToken) =>
        FindKnown(repository.Key) is { } isPublic
            ? ValueTask.FromResult<RemoteAnswer<bool>>(isPublic)
            : new(LookAsync(repository, wanted, cancellationToken));

    /// <summary>Waits for the questions that are still open; nobody may ask any more.</summary>
    public Task DrainAsync() => _questions.DrainAsync();

    /// <summary>
    /// (1) what an earlier process was told
    /// (2) upstream, which has two seconds where it once said yes
    /// (3) where it has no answer, what it said last
    /// </summary>
    private async Task<RemoteAnswer<bool>> LookAsync(
        UpstreamRepository repository, RepositoryContent wanted, CancellationToken cancellationToken)
    {
        var saidAt = store.FindPublic(repository.Key);
        if (saidAt is { } at && IsWithin(at, YesHolds))
        {
            Remember(repository, isPublic: true, at, YesHolds);
            return true;
        }

        var wasPublic = saidAt is not null;
        if (repository.Upstream.OfflineAnswer is not null)
        {
            Remember(repository, wasPublic, time.GetUtcNow(), YesHolds);
            return wasPublic;
        }

        if (_absent.TryFind((repository.Key, wanted), out _, out var askedAt) && IsWithin(askedAt, Freshness.Absence))
        {
            return wasPublic;
        }

        var asking = AskAsync(repository, wanted, wasPublic);
        var answer = wasPublic
            ? await tags.AnswerInTimeAsync(asking, repository, cancellationToken)
            : await asking.WaitAsync(cancellationToken);
        switch (answer)
        {
            case RemoteAnswer<Verdict>.Found(var verdict):
                return verdict.IsPublic ?? wasPublic;

            case RemoteAnswer<Verdict>.Failed when FindKnown(repository.Key) is { } meanwhile:
                return meanwhile;

            case RemoteAnswer<Verdict>.Failed when wasPublic || _known.TryFind(repository.Key, out _, out _):
                if (!asking.IsCompleted)
                {
                    tags.NoteWaitedFor(repository.Key, asking);
                }

                Remember(repository, wasPublic, time.GetUtcNow(), Pause);
                return wasPublic;

            case RemoteAnswer<Verdict>.Failed(var failure):
                return failure;

            default:
                throw new UnreachableException();
        }
    }

    /// <summary>One question for all who ask. If that is about something that does not exist, it tells nothing to who wants something else.</summary>
    private async Task<RemoteAnswer<Verdict>> AskAsync(UpstreamRepository repository, RepositoryContent wanted, bool wasPublic)
    {
        var answer = await _questions.Ask((repository.Key, null), () => AskUpstreamAsync(repository, wanted, wasPublic));
        return answer is RemoteAnswer<Verdict>.Found({ IsPublic: null } about) && about.Wanted != wanted
            ? await _questions.Ask((repository.Key, wanted), () => AskUpstreamAsync(repository, wanted, wasPublic))
            : answer;
    }

    /// <summary>
    /// Registries say 404 of what they hide as well as of what they do not have, and one that wants a certificate may talk to nobody who has
    /// none. Only our own access tells the one from the other. It also tells a repository that is no longer public from a registry, or something
    /// in front of it, that refuses everything. Where we are refused ourselves, nothing is learned.
    /// </summary>
    private async Task<RemoteAnswer<Verdict>> AskUpstreamAsync(UpstreamRepository repository, RepositoryContent wanted, bool wasPublic)
    {
        if (FindKnown(repository.Key) is { } known)
        {
            return new Verdict(known, wanted);
        }

        var askedAt = time.GetUtcNow();
        var patience = wasPublic ? RemotePatience.OneAttempt : RemotePatience.Retry;
        var everybody = await repository.Upstream.FindFailureAsync(repository.Name, wanted, Asker.Everybody, patience, stopping);
        if (everybody is null)
        {
            await RememberPublicAsync(repository, askedAt);
            return new Verdict(IsPublic: true, wanted);
        }

        var isAmbiguous = everybody is RemoteFailure.Missing || (wasPublic && everybody is RemoteFailure.Denied)
            || (repository.Upstream.ShowsCertificate && IsAsWithoutCertificate(everybody));
        var us = isAmbiguous ? await repository.Upstream.FindFailureAsync(repository.Name, wanted, Asker.Us, patience, stopping) : everybody;
        switch (everybody, us)
        {
            case (RemoteFailure.Denied, RemoteFailure.Denied) when wasPublic:
                tags.Alarm.Note(repository, us);
                return us;

            case (_, null) or (RemoteFailure.Denied, RemoteFailure.Denied or RemoteFailure.Missing):
                await RememberPrivateAsync(repository, askedAt);
                return new Verdict(IsPublic: false, wanted);

            case (RemoteFailure.Missing, RemoteFailure.Missing or RemoteFailure.Denied):
                _absent.Add((repository.Key, wanted), true, askedAt);
                return new Verdict(IsPublic: null, wanted);

            case (RemoteFailure.Missing or RemoteFailure.Denied, _):
                return us;

            default:
                return everybody;
        }
    }

    /// <summary>No connection, or a status of a web server in front; or the breaker, which several of these have opened.</summary>
    private static bool IsAsWithoutCertificate(RemoteFailure failure) => failure is RemoteFailure.Unavailable
    {
        Reason: UnavailableReason.Unreachable or UnavailableReason.Unsupported or UnavailableReason.BreakerOpen,
    };

    private bool? FindKnown(RepositoryKey repository) =>
        _known.TryFind(repository, out var known, out var saidAt) && IsWithin(saidAt, known.Holds) ? known.IsPublic : null;

    /// <summary>What has been said in the future was said before the clock was set back, and does not count.</summary>
    private bool IsWithin(DateTimeOffset saidAt, TimeSpan holds) =>
        time.GetUtcNow() - saidAt is var age && age >= TimeSpan.Zero && age < holds;

    private void Remember(UpstreamRepository repository, bool isPublic, DateTimeOffset saidAt, TimeSpan holds) =>
        _known.Add(repository.Key, new Known(isPublic, holds), saidAt);

    private async Task RememberPublicAsync(UpstreamRepository repository, DateTimeOffset askedAt)
    {
        // Whoever did not wait for this answer has gone on with the last one meanwhile, and noted that later than this was asked.
        _known.Remove(repository.Key);
        Remember(repository, isPublic: true, askedAt, YesHolds);
        await store.TryRecordPublicAsync(repository.Key, askedAt);
    }

    private async Task RememberPrivateAsync(UpstreamRepository repository, DateTimeOffset askedAt)
    {
        var isNews = !_known.TryFind(repository.Key, out var last, out _) || last.IsPublic;
        _known.Remove(repository.Key);
        Remember(repository, isPublic: false, askedAt, NoHolds);
        if (store.FindPublic(repository.Key) is null)
        {
            if (isNews)
            {
                LogPrivate(repository.Key, repository.Upstream.Name);
            }

            return;
        }

        LogNoLongerPublic(repository.Key);
        await store.TryRemovePublicAsync(repository.Key);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Repository} is no longer for everybody to read, upstream says")]
    private partial void LogNoLongerPublic(RepositoryKey repository);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Repository} is not for everybody to read, upstream says: clients get 404, whether our credentials can read it or not, unless {Upstream} "
            + "has share: all")]
    private partial void LogPrivate(RepositoryKey repository, string upstream);

    private readonly record struct Known(bool IsPublic, TimeSpan Holds);

    /// <param name="IsPublic">Null where neither we nor anybody else can have what was asked for: that tells nothing.</param>
    /// <param name="Wanted">What was asked for.</param>
    private sealed record Verdict(bool? IsPublic, RepositoryContent Wanted);
}
