using System.Collections.Concurrent;

namespace Mirror.Storage;

/// <summary>Connections that only read, beside the writer. As many as read at once, kept for the next.</summary>
internal sealed class MetadataReaders(string path, DatabaseDamage damage) : IDisposable
{
    private readonly ConcurrentBag<SqlSession> _idle = [];
    private volatile bool _closed;

    public T Read<T>(Func<SqlSession, T> query)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        SqlSession? session = null;
        try
        {
            session = _idle.TryTake(out var idle) ? idle : new SqlSession(path, readOnly: true);
            var answer = query(session);
            _idle.Add(session);
            return answer;
        }
        catch (Exception e)
        {
            session?.Dispose();
            damage.Notice(e);
            throw;
        }
    }

    public void Dispose()
    {
        _closed = true;
        while (_idle.TryTake(out var session))
        {
            session.Dispose();
        }
    }
}
