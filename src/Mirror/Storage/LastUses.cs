using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// When content was last asked for. Who asks only adds it to a set in memory; the set is written now and then, and where that fails or the
/// process is killed, some content looks unused for longer than it was.
/// </summary>
public sealed class LastUses : IAsyncDisposable
{
    /// <summary>Between the first use in a set and its writing.</summary>
    private static readonly TimeSpan Delay = TimeSpan.FromMinutes(3);

    /// <summary>Uses nearer to each other than this are one.</summary>
    private static readonly TimeSpan Precision = TimeSpan.FromHours(1);

    private const int MaxGroup = 500;

    private readonly MetadataWriter _writer;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private ConcurrentDictionary<Digest, bool> _used = new();
    private Task _writing = Task.CompletedTask;
    private int _isArmed;

    internal LastUses(MetadataWriter writer, TimeProvider time)
    {
        _writer = writer;
        _time = time;
        _timer = time.CreateTimer(_ => _writing = WriteAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Content is asked for. Costs next to nothing where it was a moment ago too.</summary>
    public void Note(Digest digest)
    {
        // Who adds to a set that is just being written may lose that use.
        var used = _used;
        if (!used.ContainsKey(digest) && used.TryAdd(digest, true) && Interlocked.Exchange(ref _isArmed, 1) == 0)
        {
            _timer.Change(Delay, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Writes what is not written yet; nothing is noted any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        await _writing;
        await WriteAsync();
    }

    private async Task WriteAsync()
    {
        Volatile.Write(ref _isArmed, 0);
        var used = Interlocked.Exchange(ref _used, new ConcurrentDictionary<Digest, bool>());
        try
        {
            foreach (var group in used.Keys.Chunk(MaxGroup))
            {
                await _writer.WriteAsync(write => Write(write.Session, group));
            }
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            // The same trouble meets those whose writes matter, and they say so.
        }
    }

    private void Write(SqlSession session, Digest[] used)
    {
        var now = _time.GetUtcNow();
        foreach (var digest in used)
        {
            session.Execute(
                "UPDATE blobs SET used_at = $2 WHERE digest = $1 AND used_at <= $3",
                digest.ToString(), now.ToUnixTimeMilliseconds(), (now - Precision).ToUnixTimeMilliseconds());
        }
    }
}
