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
public sealed partial class TagCache(Store store, ManifestCache manifests, MirrorMetrics metrics, TimeProvider time, ILogger<TagCache> logger)
{
    /// <summary>How long somebody waits for upstream who could be given the cached answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private const int MaxSeen = 10_000;

    private readonly SharedRequests<(RepositoryKey, Tag), RemoteAnswer<Manifest>> _gets = new();
    private readonly SharedRequests<(RepositoryKey, Tag), RemoteAnswer<Descriptor>> _heads = new();

    /// <summary>
    /// Where tags point whose manifests are not here: what a HEAD has found out. Kept apart from the cached tags, which must go on pointing to
    /// what can be served when upstream is down, and only as long as it is fresh.
    /// </summary>
    private readonly ConcurrentDictionary<(RepositoryKey, Tag), (Descriptor Descriptor, DateTimeOffset SeenAt)> _seen = new();

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
        digest => DescribeAsync(repository, digest, cancellationToken),
        () => FindSeen(repository, tag) is { } seen
            ? Task.FromResult<RemoteAnswer<Descriptor>>(seen)
            : _heads.Ask((repository.Key, tag), () => HeadFromUpstreamAsync(repository, tag)),
        cancellationToken);

    /// <summary>A page of a repository's tags: upstream's, or the cached ones where upstream can not be asked.</summary>
    public async Task<RemoteAnswer<Tagged<TagPage>>> ListAsync(
        UpstreamRepository repository, int n, string? last, CancellationToken cancellationToken)
    {
        switch (await repository.Upstream.ListTagsAsync(repository.Name, n, last, cancellationToken))
        {
            case RemoteAnswer<RemotePage<Tag>>.Found(var page):
                return new Tagged<TagPage>(new TagPage(page.Items, More: page.Next is not null), Stale: false);

            case RemoteAnswer<RemotePage<Tag>>.Failed(var failure):
                // One more than asked for tells whether there is another page.
                var cached = store.Metadata.ListTags(repository.Key, n + 1, last);
                return failure is RemoteFailure.Missing || (cached.Count == 0 && last is null)
                    ? failure
                    : new Tagged<TagPage>(new TagPage([.. cached.Take(n)], More: cached.Count > n), Stale: true);

            default:
                throw new UnreachableException();
        }
    }

    /// <summary>Fresh: from the cache. Otherwise upstream's answer, or the cached one where upstream has none in time.</summary>
    private async Task<RemoteAnswer<Tagged<T>>> AnswerAsync<T>(
        UpstreamRepository repository,
        Tag tag,
        Func<Digest, Task<RemoteAnswer<T>>> fromCache,
        Func<Task<RemoteAnswer<T>>> fromUpstream,
        CancellationToken cancellationToken)
    {
        var here = store.Metadata.FindTag(repository.Key, tag);
        var state = StateOf(repository, here);
        if (here is not null && state == TagState.Fresh)
        {
            metrics.CacheRequest("tag", "hit");
            return WithStale(await fromCache(here.Digest), stale: false);
        }

        var asking = fromUpstream();
        if (here is null || state == TagState.Expired)
        {
            var answer = await asking.WaitAsync(cancellationToken);
            metrics.CacheRequest("tag", answer is RemoteAnswer<T>.Failed ? "failed" : "miss");
            return WithStale(answer, stale: false);
        }

        var timely = await AnswerInTimeAsync(asking, repository.Upstream.Name, cancellationToken);
        if (timely is RemoteAnswer<T>.Failed { Failure: not RemoteFailure.Missing and var failure })
        {
            LogStale(repository.Key, tag, here.CheckedAt, failure.Why);
            metrics.CacheRequest("tag", "stale");
            return WithStale(await fromCache(here.Digest), stale: true);
        }

        metrics.CacheRequest("tag", "revalidated");
        return WithStale(timely, stale: false);
    }

    /// <summary>The question goes on when patience ends: its answer is for the next who asks.</summary>
    private async Task<RemoteAnswer<T>> AnswerInTimeAsync<T>(Task<RemoteAnswer<T>> asking, string upstream, CancellationToken cancellationToken)
    {
        try
        {
            return await asking.WaitAsync(Patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Timeout, $"{upstream} did not answer within {Patience.TotalSeconds} s");
        }
    }

    private TagState StateOf(UpstreamRepository repository, TagRecord? here) =>
        here is null ? TagState.Expired : repository.Upstream.Freshness.StateOf(here.CheckedAt, time.GetUtcNow());

    private async Task<RemoteAnswer<Manifest>> GetFromUpstreamAsync(UpstreamRepository repository, Tag tag)
    {
        // Somebody else's question may have been answered since the caller looked.
        var here = store.Metadata.FindTag(repository.Key, tag);
        if (here is not null && StateOf(repository, here) == TagState.Fresh)
        {
            return await manifests.GetAsync(repository, here.Digest, CancellationToken.None);
        }

        if (FindSeen(repository, tag) is { } seen)
        {
            return await GetAndKeepAsync(repository, tag, seen.Digest);
        }

        if (here is null)
        {
            return await GetAndKeepAsync(repository, tag, tag);
        }

        switch (await repository.Upstream.ResolveAsync(repository.Name, tag, here.Digest, CancellationToken.None))
        {
            case RemoteAnswer<ResolvedTag>.Unchanged:
                return await GetAndKeepAsync(repository, tag, here.Digest);

            case RemoteAnswer<ResolvedTag>.Found({ Manifest: { } manifest }):
                await manifests.KeepAsync(repository, manifest, tag);
                return manifest;

            case RemoteAnswer<ResolvedTag>.Found(var resolved):
                return await GetAndKeepAsync(repository, tag, resolved.Descriptor.Digest);

            case RemoteAnswer<ResolvedTag>.Failed(var failure):
                await ForgetIfGoneAsync(repository, tag, failure);
                return failure;

            default:
                throw new UnreachableException();
        }
    }

    private async Task<RemoteAnswer<Descriptor>> HeadFromUpstreamAsync(UpstreamRepository repository, Tag tag)
    {
        var here = store.Metadata.FindTag(repository.Key, tag);
        if (here is not null && StateOf(repository, here) == TagState.Fresh)
        {
            return await DescribeAsync(repository, here.Digest, CancellationToken.None);
        }

        switch (await repository.Upstream.ResolveAsync(repository.Name, tag, here?.Digest, CancellationToken.None))
        {
            case RemoteAnswer<ResolvedTag>.Unchanged when here is not null:
                return await ConfirmAsync(repository, tag, here.Digest);

            case RemoteAnswer<ResolvedTag>.Found({ Manifest: { } manifest }):
                await manifests.KeepAsync(repository, manifest, tag);
                return manifest.Descriptor;

            case RemoteAnswer<ResolvedTag>.Found(var resolved) when resolved.Descriptor.Digest == here?.Digest:
                return await ConfirmAsync(repository, tag, here.Digest);

            case RemoteAnswer<ResolvedTag>.Found(var resolved):
                Remember(repository, tag, resolved.Descriptor);
                return resolved.Descriptor;

            case RemoteAnswer<ResolvedTag>.Failed(var failure):
                await ForgetIfGoneAsync(repository, tag, failure);
                return failure;

            default:
                throw new UnreachableException();
        }
    }

    /// <summary>Gets the manifest, by digest where that is known, and only then lets the tag point to it.</summary>
    private async Task<RemoteAnswer<Manifest>> GetAndKeepAsync(UpstreamRepository repository, Tag tag, Reference reference)
    {
        if (reference.Digest is not { } digest)
        {
            var fetched = await repository.Upstream.GetManifestAsync(repository.Name, reference, CancellationToken.None);
            if (fetched is RemoteAnswer<Manifest>.Found(var manifest))
            {
                await manifests.KeepAsync(repository, manifest, tag);
            }

            return fetched;
        }

        var answer = await manifests.GetAsync(repository, digest, CancellationToken.None);
        if (answer is RemoteAnswer<Manifest>.Found)
        {
            await RecordAsync(repository, tag, digest);
        }

        return answer;
    }

    private async Task<RemoteAnswer<Descriptor>> ConfirmAsync(UpstreamRepository repository, Tag tag, Digest digest)
    {
        await RecordAsync(repository, tag, digest);
        return await DescribeAsync(repository, digest, CancellationToken.None);
    }

    private async Task<RemoteAnswer<Descriptor>> DescribeAsync(UpstreamRepository repository, Digest digest, CancellationToken cancellationToken) =>
        manifests.FindDescriptor(repository, digest) is { } descriptor
            ? descriptor
            : await manifests.GetAsync(repository, digest, cancellationToken) switch
            {
                RemoteAnswer<Manifest>.Found(var manifest) => manifest.Descriptor,
                RemoteAnswer<Manifest>.Failed(var failure) => failure,
                _ => throw new UnreachableException(),
            };

    private async Task RecordAsync(UpstreamRepository repository, Tag tag, Digest digest)
    {
        _seen.TryRemove((repository.Key, tag), out _);
        try
        {
            await store.Metadata.RecordTagAsync(repository.Key, tag, digest);
        }
        catch (Exception e)
        {
            LogNotKept(e, repository.Key, tag);
        }
    }

    private async Task ForgetIfGoneAsync(UpstreamRepository repository, Tag tag, RemoteFailure failure)
    {
        if (failure is not RemoteFailure.Missing)
        {
            return;
        }

        _seen.TryRemove((repository.Key, tag), out _);
        try
        {
            await store.Metadata.RemoveTagAsync(repository.Key, tag);
        }
        catch (Exception e)
        {
            LogNotKept(e, repository.Key, tag);
        }
    }

    private Descriptor? FindSeen(UpstreamRepository repository, Tag tag) =>
        _seen.TryGetValue((repository.Key, tag), out var seen)
            && repository.Upstream.Freshness.StateOf(seen.SeenAt, time.GetUtcNow()) == TagState.Fresh ? seen.Descriptor : null;

    private void Remember(UpstreamRepository repository, Tag tag, Descriptor descriptor)
    {
        if (_seen.Count >= MaxSeen)
        {
            _seen.Clear();
        }

        _seen[(repository.Key, tag)] = (descriptor, time.GetUtcNow());
    }

    private static RemoteAnswer<Tagged<T>> WithStale<T>(RemoteAnswer<T> answer, bool stale) => answer switch
    {
        RemoteAnswer<T>.Found(var content) => new Tagged<T>(content, stale),
        RemoteAnswer<T>.Failed(var failure) => failure,
        _ => throw new UnreachableException(),
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Repository}:{Tag} is answered as of {CheckedAt}, because upstream could not be asked: {Why}")]
    private partial void LogStale(RepositoryKey repository, Tag tag, DateTimeOffset checkedAt, string why);

    [LoggerMessage(Level = LogLevel.Error, Message = "What upstream says of {Repository}:{Tag} could not be kept")]
    private partial void LogNotKept(Exception exception, RepositoryKey repository, Tag tag);
}
