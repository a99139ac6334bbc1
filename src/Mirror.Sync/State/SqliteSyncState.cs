using Microsoft.Data.Sqlite;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Sync.State;

/// <summary>
/// The state in an SQLite database. One connection does all, a thread at a time: a question takes microseconds. What is saved of tags is
/// committed in groups, so that thousands of them do not make thousands of commits; all else at once, and what was saved before it with it.
/// </summary>
/// <remarks>
/// A database that is damaged or another version's is put aside. Where a write fails, all that was remembered of tags is forgotten, at once
/// for whoever asks and in the database as soon as it can be written: what it says may no longer be so, and nobody would notice.
/// </remarks>
public sealed class SqliteSyncState : ISyncState
{
    private const string TagColumns = "repository, tag, seen, seen_at, etag, put, put_at, terms, referrers_at, failures, why";

    private const string RunColumns =
        "id, job, cause, started_at, ended_at, outcome, "
        + "copied, up_to_date, deleted, failed, blobs, bytes, mounted, source_requests, target_requests, why";

    private readonly SqliteStateFile _file;
    private readonly TimeProvider _time;
    private long _lastRun;

    private SqliteSyncState(SqliteStateFile file, TimeProvider time)
    {
        _file = file;
        _time = time;
        _lastRun = _file.Read(session => session.FindOne("SELECT coalesce(max(id), 0) FROM runs", row => row.GetInt64(0)), none: 0);
        _file.Write(session => session.Execute(
            """
            UPDATE runs SET outcome = $1, ended_at = $2, why = CASE WHEN why IS NULL THEN $3 ELSE $3 || char(10) || why END
            WHERE outcome = $4
            """,
            nameof(RunOutcome.Stopped), time.GetUtcNow().UtcTicks, RunHistory.Interrupted, nameof(RunOutcome.Running)));
    }

    /// <summary>Opens the state, which always works: where the file is of no use, with less memory than there was.</summary>
    /// <param name="path">The database. Nobody else may have it open.</param>
    /// <param name="time">The clock.</param>
    /// <param name="warn">Is told what people should know.</param>
    public static SqliteSyncState Open(string path, TimeProvider time, Action<string> warn) =>
        new(new SqliteStateFile(new StateFile(path, [$"{path}-wal", $"{path}-shm"], time, warn), time), time);

    public TagState? FindTag(string job, RepositoryName repository, Tag tag) => _file.ReadTags(
        session => session.FindOne(
            $"SELECT {TagColumns} FROM tags WHERE job = $1 AND repository = $2 AND tag = $3",
            IfReadable(row => ReadTag(job, row)),
            job, $"{repository}", $"{tag}"),
        none: null);

    public IReadOnlyList<TagState> ListTags(string job, RepositoryName repository) => _file.ReadTags(
        session => session.List(
            $"SELECT {TagColumns} FROM tags WHERE job = $1 AND repository = $2 ORDER BY tag",
            IfReadable(row => ReadTag(job, row)),
            job, $"{repository}")
            .OfType<TagState>().ToList(),
        none: []);

    public IReadOnlyList<RepositoryName> ListRepositories(string job) => _file.ReadTags(
        // From each repository to the next, past its tags.
        session => session.List(
            """
            WITH RECURSIVE found (name) AS (
                SELECT min(repository) FROM tags WHERE job = $1
                UNION ALL
                SELECT (SELECT min(repository) FROM tags WHERE job = $1 AND repository > name) FROM found WHERE name IS NOT NULL)
            SELECT name FROM found WHERE name IS NOT NULL ORDER BY name
            """,
            row => RepositoryName.TryParse(row.GetString(0), out var name) ? name : (RepositoryName?)null,
            job).OfType<RepositoryName>().ToList(),
        none: []);

    public void Save(TagState tag) => _file.Write(
        session => session.Execute(
            $"INSERT OR REPLACE INTO tags (job, {TagColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            tag.Job,
            $"{tag.Repository}",
            $"{tag.Tag}",
            tag.Seen?.ToString(),
            tag.SeenAt?.UtcTicks,
            tag.ETag is { } etag && StateText.IsExact(etag) ? etag : null,
            tag.Put?.ToString(),
            tag.PutAt?.UtcTicks,
            tag.Terms,
            tag.ReferrersAt?.UtcTicks,
            tag.Failures,
            StateText.Clean(tag.Why, StateText.TagWhy)),
        mayWait: true);

    public void RemoveTag(string job, RepositoryName repository, Tag tag) => _file.Write(
        session => session.Execute("DELETE FROM tags WHERE job = $1 AND repository = $2 AND tag = $3", job, $"{repository}", $"{tag}"));

    public SyncRun Begin(SyncRun run)
    {
        var begun = run with { Id = Interlocked.Increment(ref _lastRun) };
        _file.Write(session =>
        {
            Keep(session, begun);
            session.Execute(
                "DELETE FROM runs WHERE job = $1 AND id <= (SELECT id FROM runs WHERE job = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
                run.Job,
                RunHistory.MostPerJob);
            session.Execute(
                "DELETE FROM runs WHERE started_at < $1 AND id < (SELECT max(id) FROM runs AS later WHERE later.job = runs.job)",
                (_time.GetUtcNow() - RunHistory.Kept).UtcTicks);
            session.Execute(
                "DELETE FROM places WHERE number <= (SELECT number FROM places ORDER BY number DESC LIMIT 1 OFFSET $1)", PlaceHistory.Most);
        });
        return begun;
    }

    public void Save(SyncRun run) => _file.Write(session => Keep(session, run));

    public IReadOnlyList<SyncRun> ListRuns(string? job, int count) => _file.Read(
        session => (job is null
            ? session.List($"SELECT {RunColumns} FROM runs ORDER BY id DESC LIMIT $1", IfReadable(ReadRun), Math.Max(count, 0))
            : session.List(
                $"SELECT {RunColumns} FROM runs WHERE job = $1 ORDER BY id DESC LIMIT $2", IfReadable(ReadRun), job, Math.Max(count, 0)))
            .OfType<SyncRun>().ToList(),
        none: []);

    public DateTimeOffset? FindVerified(string job) => _file.ReadTags(
        session => session.FindOne(
            "SELECT at FROM verified WHERE job = $1", IfReadable<object>(row => GetTime(row, 0)), job) as DateTimeOffset?,
        none: null);

    public void SaveVerified(string job, DateTimeOffset at) =>
        _file.Write(session => session.Execute("INSERT OR REPLACE INTO verified (job, at) VALUES ($1, $2)", job, at.UtcTicks));

    public UploadState? FindUpload(string registry, Digest digest) => _file.Read(
        session => session.FindOne(
            "SELECT repository, location, offset, chunk_min_length, saved_at FROM uploads WHERE registry = $1 AND digest = $2",
            IfReadable(row => new UploadState(
                registry,
                RepositoryName.Parse(row.GetString(0)),
                digest,
                new RemoteUpload(row.GetString(1), row.GetInt64(2), row.IsDBNull(3) ? null : row.GetInt64(3)),
                GetTime(row, 4))),
            registry, $"{digest}"),
        none: null);

    public void Save(UploadState upload)
    {
        if (!StateText.IsExact(upload.Upload.Location))
        {
            RemoveUpload(upload.Registry, upload.Digest);
            return;
        }

        _file.Write(session => session.Execute(
            """
            INSERT OR REPLACE INTO uploads (registry, digest, repository, location, offset, chunk_min_length, saved_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            upload.Registry,
            $"{upload.Digest}",
            $"{upload.Repository}",
            upload.Upload.Location,
            upload.Upload.Offset,
            upload.Upload.ChunkMinLength,
            upload.SavedAt.UtcTicks));
    }

    public void RemoveUpload(string registry, Digest digest) => _file.Write(session => session.Execute(
        "DELETE FROM uploads WHERE registry = $1 AND digest = $2", registry, $"{digest}"));

    public RepositoryName? FindPlace(string registry, Digest digest) => _file.Read(
        session => session.FindOne(
            "SELECT repository FROM places WHERE registry = $1 AND digest = $2", row => row.GetString(0), registry, $"{digest}"),
        none: null) is { } text && RepositoryName.TryParse(text, out var name) ? name : null;

    public void SavePlace(string registry, Digest digest, RepositoryName repository) => _file.Write(session => session.Execute(
        "INSERT OR REPLACE INTO places (registry, digest, repository) VALUES ($1, $2, $3)", registry, $"{digest}", $"{repository}"));

    public void RemovePlace(string registry, Digest digest, RepositoryName repository) => _file.Write(session => session.Execute(
        "DELETE FROM places WHERE registry = $1 AND digest = $2 AND repository = $3", registry, $"{digest}", $"{repository}"));

    public void Dispose() => _file.Dispose();

    private static void Keep(SqlSession session, SyncRun run) => session.Execute(
        $"INSERT OR REPLACE INTO runs ({RunColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        run.Id,
        run.Job,
        run.Cause,
        run.StartedAt.UtcTicks,
        run.EndedAt?.UtcTicks,
        run.Outcome.ToString(),
        run.Figures.Copied,
        run.Figures.UpToDate,
        run.Figures.Deleted,
        run.Figures.Failed,
        run.Figures.Blobs,
        run.Figures.Bytes,
        run.Figures.Mounted,
        run.Figures.SourceRequests,
        run.Figures.TargetRequests,
        StateText.Clean(run.Why, StateText.RunWhy));

    private static TagState ReadTag(string job, SqliteDataReader row) => new(
        job,
        RepositoryName.Parse(row.GetString(0)),
        Tag.Parse(row.GetString(1)),
        FindDigest(row, 2),
        FindTime(row, 3),
        FindText(row, 4),
        FindDigest(row, 5),
        FindTime(row, 6),
        FindText(row, 7),
        FindTime(row, 8),
        row.GetInt32(9),
        FindText(row, 10));

    private static SyncRun ReadRun(SqliteDataReader row) => new(
        row.GetInt64(0),
        row.GetString(1),
        row.GetString(2),
        GetTime(row, 3),
        FindTime(row, 4),
        Enum.Parse<RunOutcome>(row.GetString(5)),
        new RunFigures(
            row.GetInt32(6),
            row.GetInt32(7),
            row.GetInt32(8),
            row.GetInt32(9),
            row.GetInt32(10),
            row.GetInt64(11),
            row.GetInt32(12),
            row.GetInt32(13),
            row.GetInt32(14)),
        FindText(row, 15));

    private static string? FindText(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static Digest? FindDigest(SqliteDataReader row, int column) =>
        row.IsDBNull(column) ? null : Digest.Parse(row.GetString(column));

    private static DateTimeOffset GetTime(SqliteDataReader row, int column) => new(row.GetInt64(column), TimeSpan.Zero);

    private static DateTimeOffset? FindTime(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : GetTime(row, column);

    /// <summary>Somebody may have written into the database, or the disk: a row that makes no sense counts as not there.</summary>
    private static Func<SqliteDataReader, T?> IfReadable<T>(Func<SqliteDataReader, T> read)
        where T : class => row =>
        {
            try
            {
                return read(row);
            }
            catch (Exception e) when (e is FormatException or ArgumentException or OverflowException or InvalidCastException)
            {
                return null;
            }
        };
}
