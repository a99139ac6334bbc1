using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Caching;

/// <summary>What a tag points to.</summary>
/// <param name="Content">Its manifest, or its descriptor.</param>
/// <param name="Stale">Whether upstream could not be asked, and this is what it last said.</param>
public sealed record Tagged<T>(T Content, bool Stale);

/// <param name="Items">Some of a repository's tags, in upstream's order.</param>
/// <param name="More">Whether there are more behind them.</param>
public sealed record TagPage(IReadOnlyList<Tag> Items, bool More);

/// <summary>
/// Tags, with how fresh they are. A cached tag always points to a manifest that is here. A fresh one costs no request, an old one a HEAD;
/// where upstream can not answer in time, the cached tag still does, and says that it is stale.
/// </summary>
public sealed partial class TagCache(
    CacheStore store, ManifestCache manifests, MirrorMetrics metrics, TimeProvider time, ILogger<TagCache> logger, CancellationToken stopping)
{
    /// <summary>How long somebody waits for upstream who could be given the cached answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<RepositoryKey, Task> _waitedFor = new();
    private readonly SharedRequests<(RepositoryKey, Tag), RemoteAnswer<Manifest>> _gets = new();
    private readonly SharedRequests<(RepositoryKey, Tag), RemoteAnswer<Descriptor>> _heads = new();
    private readonly SharedRequests<(RepositoryKey, Tag), RemoteAnswer<Manifest>> _refreshes = new();
    private readonly SharedRequests<PageKey, RemoteAnswer<TagPage>> _lists = new();
    private readonly SeenTags _seen = new();
    private readonly SaidLately<(RepositoryKey, Tag), RemoteFailure.Missing> _absent = new(10_000, _ => 1);
    private readonly SaidLately<PageKey, TagPage> _pages = new(200_000, page => 1 + page.Items.Count);

    /// <summary>For all that upstreams refuse.</summary>
    internal RefusalAlarm Alarm { get; } = new(metrics, time, logger);

    /// <summary>The manifest that a tag points to.</summary>
    public Task<RemoteAnswer<Tagged<Manifest>>> GetAsync(UpstreamRepository repository, Tag tag, CancellationToken cancellationToken) => AnswerAsync(
        repository,
        tag,
        digest => manifests.GetAsync(repository, digest, cancellationToken),
        () => _gets.Ask((repository.Key, tag), () => GetFromUpstreamAsync(repository, tag)),
        cancellationToken);

    /// <summary>What a tag points to, without fetching it.</summary>
    public Task<RemoteAnswer<Tagged<Descriptor>>> HeadAsync(UpstreamRepository repository, Tag tag, CancellationToken cancellationToken) => AnswerAsync(
        repository,
        tag,
        digest => DescribeAsync(repository, digest),
        () => _heads.Ask((repository.Key, tag), () => HeadFromUpstreamAsync(repository, tag)),
        cancellationToken);

    /// <summary>The manifest that a tag points to now: upstream is asked, however fresh what is known of the tag may be.</summary>
    public Task<RemoteAnswer<Manifest>> RefreshAsync(UpstreamRepository repository, Tag tag, CancellationToken cancellationToken) =>
        _refreshes.AskAsync((repository.Key, tag), () => AskNowAsync(repository, tag), cancellationToken);

    /// <summary>
    /// A manifest by its digest. Docker and containerd ask for a tag with HEAD, and then for what it pointed to in this way: so this is also
    /// when a tag that was only seen becomes a cached one.
    /// </summary>
    public async Task<RemoteAnswer<Manifest>> GetByDigestAsync(UpstreamRepository repository, Digest digest, CancellationToken cancellationToken)
    {
        var answer = await manifests.GetAsync(repository, digest, cancellationToken);
        if (answer is RemoteAnswer<Manifest>.Found)
        {
            foreach (var tag in _seen.TakePointingTo(repository.Key, digest))
            {
                await RecordAsync(repository, tag, digest);
            }
        }

        return answer;
    }

    /// <summary>
    /// Keeps a manifest that somebody else has fetched from upstream, with what upstream said then of a tag that points to it.
    /// </summary>
    /// <returns>Whether the manifest is here now. The tag points to something else where upstream has said so since.</returns>
    public Task<bool> TryKeepAsync(UpstreamRepository repository, Manifest manifest, TagSighting? tag) =>
        tag is null || IsOutdated(repository, tag)
            ? manifests.KeepAsync(repository, manifest, _seen.TakePointingTo(repository.Key, manifest.Digest))
            : KeepAsync(repository, manifest, tag);

    /// <summary>Upstream has said to somebody else that a tag points to a manifest that is here.</summary>
    public Task ConfirmAsync(UpstreamRepository repository, TagSighting tag, Digest digest) =>
        IsOutdated(repository, tag) ? Task.CompletedTask : RecordAsync(repository, tag, digest);

    /// <summary>
    /// A page of a repository's tags: what upstream said while that is fresh, or what it says now; and where it can not be asked, what it said
    /// last, or the cached tags. Of a registry that is offline, the cached tags are all.
    /// </summary>
    public async Task<RemoteAnswer<Tagged<TagPage>>> ListAsync(
        UpstreamRepository repository, int n, string? last, CancellationToken cancellationToken)
    {
        if (repository.Upstream.OfflineAnswer is { } notHere)
        {
            return FindCachedPage(repository, n, last) is { } page ? new Tagged<TagPage>(page, Stale: false) : notHere;
        }

        var key = new PageKey(repository.Key, n, last);
        var state = _pages.TryFind(key, out var known, out var saidAt)
            ? repository.Upstream.Freshness.StateOf(saidAt, time.GetUtcNow())
            : TagState.Expired;
        if (known is not null && state == TagState.Fresh)
        {
            return new Tagged<TagPage>(known, Stale: false);
        }

        var asking = _lists.Ask(key, () => ListUpstreamAsync(repository, key));
        if (known is not null && state == TagState.Stale)
        {
            var timely = await AnswerInTimeAsync(asking, repository, cancellationToken);
            return timely is RemoteAnswer<TagPage>.Failed { Failure: not RemoteFailure.Missing }
                ? new Tagged<TagPage>(known, Stale: true)
                : WithStale(timely, stale: false);
        }

        // The cached tags are seldom all: they are worth nothing as long as upstream may still answer.
        var answer = await asking.WaitAsync(cancellationToken);
        return answer is RemoteAnswer<TagPage>.Failed { Failure: not RemoteFailure.Missing } && FindCachedPage(repository, n, last) is { } cached
            ? new Tagged<TagPage>(cached, Stale: true)
            : WithStale(answer, stale: false);
    }

    /// <summary>Forgets what is in memory of a repository.</summary>
    public void Forget(RepositoryKey repository)
    {
        _seen.RemoveOf(repository);
        _absent.RemoveWhere(key => key.Item1 == repository);
        _pages.RemoveWhere(key => key.Repository == repository);
    }

    /// <summary>Waits for the questions that are still open; nobody may ask any more.</summary>
    public async Task DrainAsync()
    {
        await _gets.DrainAsync();
        await _heads.DrainAsync();
        await _refreshes.DrainAsync();
        await _lists.DrainAsync();
    }

    private async Task<RemoteAnswer<TagPage>> ListUpstreamAsync(UpstreamRepository repository, PageKey key)
    {
        var askedAt = time.GetUtcNow();
        switch (await repository.Upstream.ListTagsAsync(repository.Name, key.N, key.Last, stopping))
        {
            case RemoteAnswer<RemotePage<Tag>>.Found(var found):
                var page = new TagPage(found.Items, found.More);
                _pages.Add(key, page, askedAt);
                return page;

            case RemoteAnswer<RemotePage<Tag>>.Failed(var failure):
                if (failure is RemoteFailure.Missing)
                {
                    _pages.Remove(key);
                }

                return failure;

            default:
                throw new UnreachableException();
        }
    }

    /// <summary>The tags that are here, of which upstream may have more. One more than asked for tells whether there is another page.</summary>
    private TagPage? FindCachedPage(UpstreamRepository repository, int n, string? last)
    {
        var cached = store.ListTags(repository.Key, n + 1, last);
        return cached.Count == 0 && last is null ? null : new TagPage([.. cached.Take(n)], More: cached.Count > n);
    }

    /// <summary>Fresh: from the cache. Otherwise upstream's answer, or the cached one where upstream has none in time.</summary>
    private async Task<RemoteAnswer<Tagged<T>>> AnswerAsync<T>(
        UpstreamRepository repository,
        Tag tag,
        Func<Digest, Task<RemoteAnswer<T>>> fromCache,
        Func<Task<RemoteAnswer<T>>> fromUpstream,
        CancellationToken cancellationToken)
    {
        var here = store.FindTag(repository.Key, tag);
        var state = StateOf(repository, tag, here);
        if (here is not null && state == TagState.Fresh)
        {
            metrics.CacheRequest("tag", "hit");
            return WithStale(await fromCache(here.Digest), stale: false);
        }

        if (here is null && (repository.Upstream.OfflineAnswer ?? FindAbsent(repository, tag)) is { } absent)
        {
            metrics.CacheRequest("tag", "absent");
            return absent;
        }

        var asking = fromUpstream();
        if (here is null || state == TagState.Expired)
        {
            var answer = await asking.WaitAsync(cancellationToken);
            metrics.CacheRequest("tag", answer is RemoteAnswer<T>.Failed ? "failed" : "miss");
            return WithStale(answer, stale: false);
        }

        var timely = await AnswerInTimeAsync(asking, repository, cancellationToken);
        if (timely is RemoteAnswer<T>.Failed { Failure: not RemoteFailure.Missing and var failure })
        {
            LogStale(repository.Key, tag, here.CheckedAt, failure.WhyInFull);
            metrics.CacheRequest("tag", "stale");
            return WithStale(await fromCache(here.Digest), stale: true);
        }

        metrics.CacheRequest("tag", "revalidated");
        return WithStale(timely, stale: false);
    }

    /// <summary>The question goes on when patience ends: its answer is for the next who asks.</summary>
    internal async Task<RemoteAnswer<T>> AnswerInTimeAsync<T>(
        Task<RemoteAnswer<T>> asking, UpstreamRepository repository, CancellationToken cancellationToken)
    {
        var patience = _waitedFor.TryGetValue(repository.Key, out var late) && !late.IsCompleted ? TimeSpan.Zero : Patience;
        try
        {
            return await asking.WaitAsync(patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return new RemoteFailure.Unavailable(
                UnavailableReason.Timeout, $"{repository.Upstream.Name} did not answer within {Patience.TotalSeconds} s");
        }
    }

    /// <summary>
    /// Somebody's patience has ended with a question that comes before another one of the same request. Until it is answered, nobody waits for
    /// what is asked about the repository: a silent upstream would have its two seconds twice.
    /// </summary>
    internal void NoteWaitedFor(RepositoryKey repository, Task question)
    {
        _waitedFor[repository] = question;
        _ = question.ContinueWith(_ => _waitedFor.TryRemove(new(repository, question)), TaskScheduler.Default);
    }

    private TagState StateOf(UpstreamRepository repository, Tag tag, TagRecord? here) =>
        here is null ? TagState.Expired : repository.Upstream.Freshness.StateOf(tag, here.CheckedAt, time.GetUtcNow());

    /// <summary>Upstream's word that there is no such tag, for as long as that is believed.</summary>
    private RemoteFailure.Missing? FindAbsent(UpstreamRepository repository, Tag tag) =>
        _absent.TryFind((repository.Key, tag), out var missing, out var saidAt) && time.GetUtcNow() - saidAt is var age
            && age >= TimeSpan.Zero && age < Freshness.Absence
            ? missing
            : null;

    /// <summary>
    /// (1) somebody else's question may have been answered since the caller looked
    /// (2) a HEAD may have seen where the tag points
    /// (3) a tag that was never here is fetched at once, another one asked about with a HEAD
    /// </summary>
    private async Task<RemoteAnswer<Manifest>> GetFromUpstreamAsync(UpstreamRepository repository, Tag tag)
    {
        var here = store.FindTag(repository.Key, tag);
        if (here is not null && StateOf(repository, tag, here) == TagState.Fresh)
        {
            return await manifests.GetAsync(repository, here.Digest, stopping);
        }

        var sighting = new TagSighting(tag, time.GetUtcNow());
        if (FindSeen(repository, tag, here) is { } seen)
        {
            return await GetByDigestAsync(repository, seen.Digest, stopping) switch
            {
                RemoteAnswer<Manifest>.Failed(RemoteFailure.Missing) => await GetByTagAsync(repository, sighting),
                var answer => answer,
            };
        }

        return here is null ? await GetByTagAsync(repository, sighting) : await RevalidateAsync(repository, sighting, here);
    }

    private Task<RemoteAnswer<Manifest>> AskNowAsync(UpstreamRepository repository, Tag tag)
    {
        var sighting = new TagSighting(tag, time.GetUtcNow());
        return store.FindTag(repository.Key, tag) is { } here
            ? RevalidateAsync(repository, sighting, here)
            : GetByTagAsync(repository, sighting);
    }

    private async Task<RemoteAnswer<Manifest>> RevalidateAsync(UpstreamRepository repository, TagSighting tag, TagRecord here)
    {
        switch (await repository.Upstream.ResolveAsync(repository.Name, tag.Tag, here.Digest, stopping))
        {
            case RemoteAnswer<ResolvedTag>.Unchanged:
                await RecordAsync(repository, tag, here.Digest);
                return await manifests.GetAsync(repository, here.Digest, stopping);

            case RemoteAnswer<ResolvedTag>.Found({ Manifest: { } manifest }):
                await KeepAsync(repository, manifest, tag);
                return manifest;

            case RemoteAnswer<ResolvedTag>.Found(var resolved):
                return await GetResolvedAsync(repository, tag, resolved.Descriptor.Digest);

            case RemoteAnswer<ResolvedTag>.Failed(var failure):
                Alarm.Note(repository, failure);
                await ForgetIfGoneAsync(repository, tag, failure);
                return failure;

            default:
                throw new UnreachableException();
        }
    }

    /// <summary>The manifest that a tag has just been said to point to; only when it is here does the tag point to it here too.</summary>
    private async Task<RemoteAnswer<Manifest>> GetResolvedAsync(UpstreamRepository repository, TagSighting tag, Digest digest)
    {
        var answer = await manifests.GetAsync(repository, digest, stopping);
        if (answer is RemoteAnswer<Manifest>.Found)
        {
            await RecordAsync(repository, tag, digest);
        }
        else if (answer is RemoteAnswer<Manifest>.Failed(var failure))
        {
            Alarm.Note(repository, failure);
        }

        // A replica that lags behind is no proof that anything is gone.
        return answer is RemoteAnswer<Manifest>.Failed(RemoteFailure.Missing missing)
            ? new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{repository.Upstream.Name} says that {tag.Tag} is {digest}, but: {missing.Why}")
            : answer;
    }

    private async Task<RemoteAnswer<Manifest>> GetByTagAsync(UpstreamRepository repository, TagSighting tag)
    {
        var answer = await repository.Upstream.GetManifestAsync(repository.Name, tag.Tag, stopping);
        switch (answer)
        {
            case RemoteAnswer<Manifest>.Found(var manifest):
                await KeepAsync(repository, manifest, tag);
                break;

            case RemoteAnswer<Manifest>.Failed(var failure):
                await ForgetIfGoneAsync(repository, tag, failure);
                break;
        }

        return answer;
    }

    private async Task<RemoteAnswer<Descriptor>> HeadFromUpstreamAsync(UpstreamRepository repository, Tag tag)
    {
        var here = store.FindTag(repository.Key, tag);
        if (here is not null && StateOf(repository, tag, here) == TagState.Fresh)
        {
            return await DescribeAsync(repository, here.Digest);
        }

        if (FindSeen(repository, tag, here) is { } seen)
        {
            return seen;
        }

        var sighting = new TagSighting(tag, time.GetUtcNow());
        switch (await repository.Upstream.ResolveAsync(repository.Name, tag, here?.Digest, stopping))
        {
            case RemoteAnswer<ResolvedTag>.Unchanged when here is not null:
                await RecordAsync(repository, sighting, here.Digest);
                return await DescribeAsync(repository, here.Digest);

            case RemoteAnswer<ResolvedTag>.Found({ Manifest: { } manifest }):
                await KeepAsync(repository, manifest, sighting);
                return manifest.Descriptor;

            case RemoteAnswer<ResolvedTag>.Found(var resolved):
                await RecordOrRememberAsync(repository, sighting, resolved.Descriptor);
                return resolved.Descriptor;

            case RemoteAnswer<ResolvedTag>.Failed(var failure):
                if (here is not null)
                {
                    Alarm.Note(repository, failure);
                }

                await ForgetIfGoneAsync(repository, sighting, failure);
                return failure;

            default:
                throw new UnreachableException();
        }
    }

    private async Task<RemoteAnswer<Descriptor>> DescribeAsync(UpstreamRepository repository, Digest digest) =>
        manifests.FindDescriptor(repository, digest) is { } descriptor
            ? descriptor
            : await manifests.GetAsync(repository, digest, stopping) switch
            {
                RemoteAnswer<Manifest>.Found(var manifest) => manifest.Descriptor,
                RemoteAnswer<Manifest>.Failed(var failure) => failure,
                _ => throw new UnreachableException(),
            };

    private Task RecordOrRememberAsync(UpstreamRepository repository, TagSighting tag, Descriptor descriptor)
    {
        if (manifests.FindDescriptor(repository, descriptor.Digest) is not null)
        {
            return RecordAsync(repository, tag, descriptor.Digest);
        }

        _absent.Remove((repository.Key, tag.Tag));
        _seen.Add(repository.Key, tag, descriptor);
        return Task.CompletedTask;
    }

    private Task<bool> KeepAsync(UpstreamRepository repository, Manifest manifest, TagSighting tag)
    {
        _seen.Remove(repository.Key, tag.Tag);
        _absent.Remove((repository.Key, tag.Tag));
        return manifests.KeepAsync(repository, manifest, [tag, .. _seen.TakePointingTo(repository.Key, manifest.Digest)]);
    }

    private Task<bool> RecordAsync(UpstreamRepository repository, TagSighting tag, Digest digest)
    {
        _seen.Remove(repository.Key, tag.Tag);
        _absent.Remove((repository.Key, tag.Tag));
        return store.TryRecordTagAsync(repository.Key, tag, digest);
    }

    private async Task ForgetIfGoneAsync(UpstreamRepository repository, TagSighting tag, RemoteFailure failure)
    {
        if (failure is not RemoteFailure.Missing missing)
        {
            return;
        }

        _seen.Remove(repository.Key, tag.Tag);
        _absent.Add((repository.Key, tag.Tag), missing, tag.SaidAt);
        await store.TryRemoveTagAsync(repository.Key, tag);
    }

    /// <summary>Where a HEAD saw the tag point, as long as that is fresh and nothing later is known.</summary>
    private Descriptor? FindSeen(UpstreamRepository repository, Tag tag, TagRecord? here) =>
        _seen.TryFind(repository.Key, tag, out var descriptor, out var saidAt)
            && saidAt >= (here?.CheckedAt ?? DateTimeOffset.MinValue)
            && repository.Upstream.Freshness.StateOf(saidAt, time.GetUtcNow()) == TagState.Fresh
            ? descriptor
            : null;

    /// <summary>Whether a HEAD has seen since where the tag points.</summary>
    private bool IsOutdated(UpstreamRepository repository, TagSighting tag) =>
        _seen.TryFind(repository.Key, tag.Tag, out _, out var saidAt) && saidAt > tag.SaidAt;

    private static RemoteAnswer<Tagged<T>> WithStale<T>(RemoteAnswer<T> answer, bool stale) => answer switch
    {
        RemoteAnswer<T>.Found(var content) => new Tagged<T>(content, stale),
        RemoteAnswer<T>.Failed(var failure) => failure,
        _ => throw new UnreachableException(),
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Repository}:{Tag} is answered as of {CheckedAt:u}, because upstream could not be asked: {Why}")]
    private partial void LogStale(RepositoryKey repository, Tag tag, DateTimeOffset checkedAt, string why);

    private readonly record struct PageKey(RepositoryKey Repository, int N, string? Last);
}
