using Mirror.Sync.Repositories;

namespace Mirror.Sync.Replication;

/// <summary>What the runs of one process share, so that no blob is sent twice and none waits for another for ever.</summary>
internal sealed class Traffic
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (TargetBlobs Blobs, int Runs)> _targets = new(StringComparer.Ordinal);

    public TransferTurns Turns { get; } = new();

    /// <summary>What is known of a target while any run copies to it. What is older than that may be wrong, and is forgotten.</summary>
    public TargetBlobs Enter(IRegistry target)
    {
        lock (_gate)
        {
            var (blobs, runs) = _targets.GetValueOrDefault(target.Name);
            _targets[target.Name] = (blobs ??= new TargetBlobs(), runs + 1);
            return blobs;
        }
    }

    public void Leave(IRegistry target)
    {
        lock (_gate)
        {
            var (blobs, runs) = _targets[target.Name];
            if (runs > 1)
            {
                _targets[target.Name] = (blobs, runs - 1);
            }
            else
            {
                _targets.Remove(target.Name);
            }
        }
    }
}
