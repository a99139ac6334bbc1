using Microsoft.Data.Sqlite;
using Mirror.Storage;

namespace Mirror.Sync.State;

/// <summary>
/// The one connection to <c>sync.db</c>, a thread at a time, and what becomes of it when the file fails. Writes that may wait are committed
/// in groups; what is read has them already.
/// </summary>
internal sealed class SqliteStateFile : IDisposable
{
    private const int Corrupt = 11;
    private const int NotADatabase = 26;

    /// <summary>What is there, but has no such table or column.</summary>
    private const int OtherTables = 1;

    private const string InMemory = ":memory:";

    private const int MostInGroup = 1000;

    private static readonly TimeSpan LongestGroup = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private readonly StateFile _file;
    private readonly ITimer _groupEnd;
    private SqlSession _session;
    private int _inGroup;
    private bool _forgets;
    private bool _closed;

    public SqliteStateFile(StateFile file, TimeProvider time)
    {
        _file = file;
        _session = OpenFile();
        _groupEnd = time.CreateTimer(_ => EndGroup(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The answer, or <paramref name="none"/> where the file does not give one.</summary>
    public T Read<T>(Func<SqlSession, T> query, T none)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            try
            {
                return query(_session);
            }
            catch (SqliteException e)
            {
                Recover(e);
                return none;
            }
        }
    }

    /// <summary>The same of what is forgotten when a write fails.</summary>
    public T ReadTags<T>(Func<SqlSession, T> query, T none)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            return _forgets ? none : Read(query, none);
        }
    }

    /// <summary>Changes what is kept, if the file lets it.</summary>
    /// <param name="change">The change.</param>
    /// <param name="mayWait">Whether it may be committed together with others after it.</param>
    public void Write(Action<SqlSession> change, bool mayWait = false)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            try
            {
                if (_inGroup++ == 0)
                {
                    BeginGroup();
                }

                change(_session);
                if (!mayWait || _inGroup >= MostInGroup)
                {
                    Commit();
                }
            }
            catch (SqliteException e)
            {
                Recover(e);
            }
        }
    }

    public void Dispose()
    {
        _groupEnd.Dispose();
        lock (_gate)
        {
            if (!_closed)
            {
                EndGroup();
                _closed = true;
                _session.Dispose();
            }
        }
    }

    private void BeginGroup()
    {
        _session.Execute("BEGIN IMMEDIATE");
        _groupEnd.Change(LongestGroup, Timeout.InfiniteTimeSpan);
        if (_forgets)
        {
            _session.Execute("DELETE FROM tags");
            _session.Execute("DELETE FROM verified");
        }
    }

    private void Commit()
    {
        _session.Execute("COMMIT");
        _inGroup = 0;
        _forgets = false;
    }

    private void EndGroup()
    {
        lock (_gate)
        {
            if (_closed || _inGroup == 0)
            {
                return;
            }

            try
            {
                Commit();
            }
            catch (SqliteException e)
            {
                Recover(e);
            }
        }
    }

    private void Recover(SqliteException e)
    {
        if (IsDamage(e))
        {
            _session.Dispose();
            _inGroup = 0;
            _forgets = false;
            _session = BeginAnew($"is damaged ({e.Message})");
            return;
        }

        _file.WarnNotKept(e);
        if (_inGroup > 0)
        {
            _inGroup = 0;
            _forgets = true;
            try
            {
                _session.Execute("ROLLBACK");
            }
            catch (SqliteException)
            {
                // It has been rolled back already, or never began.
            }
        }
    }

    private SqlSession OpenFile()
    {
        SqlSession? session = null;
        try
        {
            StateFile.Create(_file.Path);
            session = new SqlSession(_file.Path, readOnly: false);
            if (SqliteTables.Prepare(session) is not { } unusable)
            {
                return session;
            }

            session.Dispose();
            return BeginAnew(unusable);
        }
        catch (SqliteException e) when (IsDamage(e))
        {
            session?.Dispose();
            return BeginAnew($"is damaged ({e.Message})");
        }
        catch (Exception e) when (IsOfTheDisk(e))
        {
            session?.Dispose();
            return OpenMemory(e);
        }
    }

    private SqlSession BeginAnew(string why)
    {
        SqlSession? session = null;
        try
        {
            _file.PutAside(why);
            StateFile.Create(_file.Path);
            session = new SqlSession(_file.Path, readOnly: false);
            SqliteTables.Prepare(session);
            return session;
        }
        catch (Exception e) when (IsOfTheDisk(e))
        {
            session?.Dispose();
            return OpenMemory(e);
        }
    }

    private SqlSession OpenMemory(Exception e)
    {
        _file.WarnUnusable(e);
        var session = new SqlSession(InMemory, readOnly: false);
        SqliteTables.Prepare(session);
        return session;
    }

    private static bool IsDamage(SqliteException e) => e.SqliteErrorCode is Corrupt or NotADatabase or OtherTables;

    private static bool IsOfTheDisk(Exception e) => e is SqliteException or IOException or UnauthorizedAccessException;
}
