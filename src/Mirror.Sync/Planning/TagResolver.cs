using System.Collections.Concurrent;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Repositories;
using Mirror.Sync.State;

namespace Mirror.Sync.Planning;

/// <summary>Asks once, in one plan, what each tag of a repository points to at the source.</summary>
public sealed class TagResolver
{
    private readonly ISourceRepository _repository;
    private readonly IReadOnlyDictionary<Tag, TagState> _known;
    private readonly Func<Func<Task<RemoteAnswer<ResolvedTag>>>, CancellationToken, Task<RemoteAnswer<ResolvedTag>>> _inTurn;
    private readonly ConcurrentDictionary<Tag, Task<RemoteAnswer<ResolvedTag>>> _answers = [];

    /// <param name="repository">Whose tags.</param>
    /// <param name="known">What is remembered of them.</param>
    /// <param name="inTurn">Asks when there are not too many questions at once.</param>
    internal TagResolver(
        ISourceRepository repository,
        IReadOnlyDictionary<Tag, TagState> known,
        Func<Func<Task<RemoteAnswer<ResolvedTag>>>, CancellationToken, Task<RemoteAnswer<ResolvedTag>>> inTurn) =>
        (_repository, _known, _inTurn) = (repository, known, inTurn);

    /// <summary>Unchanged where it still is what is remembered.</summary>
    public Task<RemoteAnswer<ResolvedTag>> ResolveAsync(Tag tag, CancellationToken cancellationToken) =>
        _answers.GetOrAdd(tag, _ => _inTurn(
            () => _repository.ResolveAsync(
                tag, _known.GetValueOrDefault(tag) is { Seen: { } seen } known ? new KnownTag(seen, known.ETag) : null, cancellationToken),
            cancellationToken));

    /// <summary>What a tag points to, or why that is not known.</summary>
    internal async Task<(Digest? Digest, RemoteFailure? Failure)> FindDigestAsync(Tag tag, CancellationToken cancellationToken) =>
        await ResolveAsync(tag, cancellationToken) switch
        {
            RemoteAnswer<ResolvedTag>.Found(var found) => (found.Descriptor.Digest, null),
            RemoteAnswer<ResolvedTag>.Failed(var failure) => (null, failure),
            _ => (_known[tag].Seen, null),
        };
}
