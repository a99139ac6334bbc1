using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Mirror.Storage;

/// <param name="Blobs">Files of published content, manifests too.</param>
/// <param name="Bytes">Of all of them.</param>
/// <param name="Changes">That the journal has.</param>
/// <param name="Tags">That there are.</param>
/// <param name="LeftOut">How much was named as left out.</param>
/// <param name="OldDatabase">Where the database is that was there before; null where there was none.</param>
public sealed record RebuildSummary(long Blobs, long Bytes, long Changes, long Tags, long LeftOut, string? OldDatabase);

/// <summary>
/// Makes the database again from the published files and the journal, beside the one that is there, which stays the one that holds until the
/// new one is whole. Nothing else in the data directory changes.
/// </summary>
public sealed class Rebuild
{
    private const int MaxBatch = 1000;
    private const int MaxReaders = 4;

    private readonly StoreLayout _layout;
    private readonly TimeProvider _time;
    private readonly Action<string> _leaveOut;
    private readonly Lock _gate = new();
    private long _blobs;
    private long _bytes;
    private long _changes;
    private long _leftOut;
    private double _part;

    /// <param name="path">The data directory.</param>
    /// <param name="time">The clock.</param>
    /// <param name="leaveOut">Is told what is left out, and why; by one thread at a time.</param>
    public Rebuild(string path, TimeProvider time, Action<string> leaveOut)
    {
        _layout = new StoreLayout(path);
        _time = time;
        _leaveOut = leaveOut;
    }

    /// <summary>How many files were read.</summary>
    public long Blobs => Interlocked.Read(ref _blobs);

    /// <summary>How many bytes were read.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>How much of all files that is, from 0 to 1.</summary>
    public double Part => Volatile.Read(ref _part);

    /// <summary>How many of the journal's lines were read.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <exception cref="StoreException">It can not be done; the database that was there still holds.</exception>
    /// <exception cref="OperationCanceledException">It was broken off, with the same result.</exception>
    public RebuildSummary Run(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(_layout.Root))
        {
            throw new StoreException($"there is no data directory {_layout.Root}");
        }

        using var held = StoreLock.Take(_layout);
        try
        {
            DatabaseSwap.Settle(_layout);
            var tags = Build(cancellationToken);
            var old = File.Exists(_layout.Database) ? _layout.OldDatabase : null;
            DatabaseSwap.Decide(_layout);
            return new RebuildSummary(_blobs, _bytes, _changes, tags, _leftOut, old);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"the database could not be made again: {e.Message}", e);
        }
    }

    private long Build(CancellationToken cancellationToken)
    {
        try
        {
            using var session = new SqlSession(_layout.BuildingDatabase, readOnly: false);
            Schema.Prepare(session);
            // It counts only once it is whole, and is flushed then.
            session.Execute("PRAGMA synchronous = OFF");
            ReadFiles(session, cancellationToken);
            ReplayJournal(session, cancellationToken);
            LeaveOutLost(session);
            return session.FindOne("SELECT count(*) FROM tags", row => row.GetInt64(0));
        }
        catch
        {
            DatabaseSwap.RemoveUnfinished(_layout);
            throw;
        }
    }

    private void ReadFiles(SqlSession session, CancellationToken cancellationToken)
    {
        var files = new PublishedFiles(_layout, LeaveOut);
        var batch = new Batch(session, _time);
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount, 1, MaxReaders),
            CancellationToken = cancellationToken,
        };
        // Taken one by one: what is taken in chunks leaves one reader alone with the last ones.
        var each = Partitioner.Create(files.List(part => Volatile.Write(ref _part, part)), EnumerablePartitionerOptions.NoBuffering);
        try
        {
            Parallel.ForEach(each, parallel, file =>
            {
                var blob = files.Read(file.Digest, file.File, read => Interlocked.Add(ref _bytes, read), cancellationToken);
                if (blob is null)
                {
                    return;
                }

                Interlocked.Increment(ref _blobs);
                var writtenAt = new DateTimeOffset(file.File.LastWriteTimeUtc);
                lock (batch)
                {
                    batch.Next().InsertBlob(blob, writtenAt < _time.GetUtcNow() ? writtenAt : _time.GetUtcNow());
                }
            });
        }
        catch (AggregateException e)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.GetBaseException());
        }

        batch.End();
        Volatile.Write(ref _part, 1);
    }

    private void ReplayJournal(SqlSession session, CancellationToken cancellationToken)
    {
        if (!File.Exists(_layout.Journal))
        {
            if (_blobs > 0)
            {
                LeaveOut($"{Path.GetFileName(_layout.Journal)} is not there: no tag and no repository is known");
            }

            return;
        }

        var replay = new JournalReplay(_layout);
        var batch = new Batch(session, _time);
        foreach (var line in JournalReader.Read(_layout.Journal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Interlocked.Increment(ref _changes);
            if ((line.Change is { } change ? replay.Redo(batch.Next(), change) : line.Fault) is { } fault)
            {
                LeaveOut($"line {line.Number} of {Path.GetFileName(_layout.Journal)}: {fault}");
            }
        }

        batch.End();
    }

    /// <summary>
    /// What was pushed and whose file is gone can not be had from anywhere. A tag points to what is here; what is upstream's is fetched again.
    /// </summary>
    private void LeaveOutLost(SqlSession session)
    {
        Visit(
            """
            SELECT r.name, l.digest FROM links l JOIN repositories r ON r.id = l.repository
            WHERE r.registry = '' AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = l.digest)
            """,
            row => LeaveOut($"{row.GetString(0)}@{row.GetString(1)} was pushed here, and its file is gone or damaged"));
        Visit(
            """
            SELECT r.registry, r.name, t.name, t.digest FROM tags t JOIN repositories r ON r.id = t.repository
            WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = t.digest)
            """,
            row => LeaveOut(
                $"{(row.GetString(0).Length == 0 ? "" : row.GetString(0) + "/")}{row.GetString(1)}:{row.GetString(2)} points to {row.GetString(3)}, "
                + "whose file is gone or damaged"));
        session.Execute("DELETE FROM tags WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = tags.digest)");

        void Visit(string sql, Action<SqliteDataReader> take) => session.Visit(sql, row =>
        {
            take(row);
            return true;
        });
    }

    private void LeaveOut(string what)
    {
        lock (_gate)
        {
            _leftOut++;
            _leaveOut(what);
        }
    }

    /// <summary>Many changes in one transaction, and no transaction without end.</summary>
    private sealed class Batch(SqlSession session, TimeProvider time)
    {
        private IndexWrite? _write;
        private int _count;

        public IndexWrite Next()
        {
            if (_count++ % MaxBatch == 0)
            {
                End();
                session.Execute("BEGIN");
                _write = new IndexWrite(session, time);
            }

            return _write!;
        }

        public void End()
        {
            if (_write is not null)
            {
                session.Execute("COMMIT");
                _write = null;
            }
        }
    }
}
