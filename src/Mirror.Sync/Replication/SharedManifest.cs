using Mirror.Oci;

namespace Mirror.Sync.Replication;

/// <summary>
/// A manifest to which several tags point: it is fetched once for all of them, as each time may count against a quota, and kept until the
/// last has it.
/// </summary>
/// <param name="users">How many times it will be asked for.</param>
internal sealed class SharedManifest(int users)
{
    private readonly Lock _gate = new();
    private Task<Manifest>? _fetched;
    private int _left = users;

    public Task<Manifest> GetAsync(Func<Task<Manifest>> fetch)
    {
        lock (_gate)
        {
            var fetched = _fetched ??= fetch();
            _fetched = --_left > 0 ? fetched : null;
            return fetched;
        }
    }
}
