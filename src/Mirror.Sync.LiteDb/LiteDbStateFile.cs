using LiteDB;
using Mirror.Sync.State;

namespace Mirror.Sync.LiteDb;

/// <summary>
/// The database, behind one lock: LiteDB 5.0.21 is not safe for use by many threads. And what becomes of it when the file fails: LiteDB
/// then closes it by itself or throws whatever its code met, so that it is opened again after each failure, and put aside after those that
/// are not the disk's.
/// </summary>
internal sealed class LiteDbStateFile : IDisposable
{
    public const string Tags = "tags";
    public const string Runs = "runs";
    public const string Verified = "verified";
    public const string Places = "places";

    private const int Version = 2;

    /// <summary>
    /// After an error of the disk nothing is written for so long: opening the file again for each tag would make runs slow.
    /// </summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly StateFile _file;
    private readonly TimeProvider _time;
    private readonly string _log;
    private LiteDatabase _database;
    private bool _forgets;
    private DateTimeOffset _pausedUntil;
    private bool _closed;

    private LiteDbStateFile(StateFile file, string log, TimeProvider time)
    {
        _file = file;
        _log = log;
        _time = time;
        _database = OpenFile();
    }

    public static LiteDbStateFile Open(string path, TimeProvider time, Action<string> warn)
    {
        var log = Path.Combine(Path.GetDirectoryName(path)!, $"{Path.GetFileNameWithoutExtension(path)}-log{Path.GetExtension(path)}");
        return new LiteDbStateFile(new StateFile(path, [log], time, warn), log, time);
    }

    /// <summary>The answer, or <paramref name="none"/> where the file does not give one.</summary>
    public T Read<T>(Func<LiteDatabase, T> query, T none)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            try
            {
                return query(_database);
            }
            catch (Exception e)
            {
                Recover(e);
                return none;
            }
        }
    }

    /// <summary>The same of what is forgotten when a write fails.</summary>
    public T ReadTags<T>(Func<LiteDatabase, T> query, T none)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            return _forgets ? none : Read(query, none);
        }
    }

    /// <summary>Changes what is kept, if the file lets it.</summary>
    public void Write(Action<LiteDatabase> change)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            if (_forgets && _time.GetUtcNow() < _pausedUntil)
            {
                return;
            }

            try
            {
                if (_forgets)
                {
                    _database.DropCollection(Tags);
                    _database.DropCollection(Verified);
                    _forgets = false;
                }

                change(_database);
            }
            catch (Exception e)
            {
                _forgets = true;
                Recover(e);
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (!_closed)
            {
                _closed = true;
                Close(_database);
            }
        }
    }

    private void Recover(Exception e)
    {
        Close(_database);
        if (IsOfTheDisk(e))
        {
            _file.WarnNotKept(e);
            _pausedUntil = _time.GetUtcNow() + Pause;
            _database = OpenFile();
        }
        else
        {
            _database = BeginAnew($"is damaged ({e.Message})");
        }
    }

    private LiteDatabase OpenFile()
    {
        try
        {
            var database = OpenAndCheck();
            if (database.UserVersion is 0 or Version)
            {
                return database;
            }

            var why = $"is of another version of the program ({database.UserVersion}, and this one knows {Version})";
            Close(database);
            return BeginAnew(why);
        }
        catch (Exception e) when (IsOfTheDisk(e))
        {
            return OpenMemory(e);
        }
        catch (Exception e)
        {
            return BeginAnew($"is damaged ({e.Message})");
        }
    }

    private LiteDatabase BeginAnew(string why)
    {
        try
        {
            _file.PutAside(why);
            var database = OpenAndCheck();
            _forgets = false;
            return database;
        }
        catch (Exception e) when (IsOfTheDisk(e))
        {
            return OpenMemory(e);
        }
    }

    private LiteDatabase OpenMemory(Exception e)
    {
        _file.WarnUnusable(e);
        _forgets = false;
        return Prepare(new LiteDatabase(":memory:"));
    }

    private LiteDatabase OpenAndCheck()
    {
        StateFile.Create(_file.Path, _log);
        // Without being told, it takes upper and lower case for the same.
        var database = new LiteDatabase(new ConnectionString { Filename = _file.Path, Collation = Collation.Binary });
        try
        {
            return Prepare(database);
        }
        catch
        {
            Close(database);
            throw;
        }
    }

    private static LiteDatabase Prepare(LiteDatabase database)
    {
        if (database.UserVersion == 0)
        {
            database.UserVersion = Version;
        }

        database.GetCollection(Places).EnsureIndex("number");
        var runs = database.GetCollection(Runs);
        runs.EnsureIndex("key");
        runs.EnsureIndex("startedAt");
        foreach (var table in database.GetCollectionNames().ToList())
        {
            database.GetCollection(table).FindOne(Query.All());
            database.GetCollection(table).FindOne(Query.All(Query.Descending));
        }

        return database;
    }

    /// <summary>Closing writes, and of a file that has failed once that may fail again: there is nothing to be done then.</summary>
    private static void Close(LiteDatabase database)
    {
        try
        {
            database.Dispose();
        }
        catch (Exception)
        {
            // What was acknowledged is in the log beside the file.
        }
    }

    /// <summary>A file that ends too early is its own fault.</summary>
    private static bool IsOfTheDisk(Exception e) => e is (IOException and not EndOfStreamException) or UnauthorizedAccessException;
}
