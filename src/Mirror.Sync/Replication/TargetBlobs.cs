using Mirror.Oci;

namespace Mirror.Sync.Replication;

/// <summary>
/// In which repositories of one target which blobs are, as the runs that go on at the same time have found out, and whose turn it is with
/// each blob: what one of them sends, the others wait for.
/// </summary>
internal sealed class TargetBlobs
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Digest, HashSet<RepositoryName>> _places = [];
    private readonly Dictionary<Digest, (SemaphoreSlim Turn, int Users)> _turns = [];

    /// <summary>Waits until nobody else is busy with the blob.</summary>
    /// <returns>To be disposed when that holds for the caller too.</returns>
    public async Task<IDisposable> EnterAsync(Digest digest, CancellationToken cancellationToken)
    {
        SemaphoreSlim turn;
        lock (_gate)
        {
            var (existing, users) = _turns.GetValueOrDefault(digest);
            turn = existing ?? new SemaphoreSlim(1, 1);
            _turns[digest] = (turn, users + 1);
        }

        try
        {
            await turn.WaitAsync(cancellationToken);
        }
        catch
        {
            Leave(digest);
            throw;
        }

        return new Turn(this, digest, turn);
    }

    public bool IsAt(RepositoryName repository, Digest digest)
    {
        lock (_gate)
        {
            return _places.TryGetValue(digest, out var places) && places.Contains(repository);
        }
    }

    /// <summary>A repository that has it; null where none is known.</summary>
    public RepositoryName? FindPlace(Digest digest)
    {
        lock (_gate)
        {
            return _places.TryGetValue(digest, out var places) && places.Count > 0 ? places.First() : null;
        }
    }

    public void Add(RepositoryName repository, Digest digest)
    {
        lock (_gate)
        {
            if (!_places.TryGetValue(digest, out var places))
            {
                _places[digest] = places = [];
            }

            places.Add(repository);
        }
    }

    /// <summary>It is not there after all.</summary>
    public void Remove(RepositoryName repository, Digest digest)
    {
        lock (_gate)
        {
            _places.GetValueOrDefault(digest)?.Remove(repository);
        }
    }

    private void Leave(Digest digest)
    {
        lock (_gate)
        {
            var (turn, users) = _turns[digest];
            if (users > 1)
            {
                _turns[digest] = (turn, users - 1);
            }
            else
            {
                _turns.Remove(digest);
                turn.Dispose();
            }
        }
    }

    private sealed class Turn(TargetBlobs blobs, Digest digest, SemaphoreSlim turn) : IDisposable
    {
        public void Dispose()
        {
            turn.Release();
            blobs.Leave(digest);
        }
    }
}
