using Mirror.Storage;

namespace Mirror.Sync.State;

/// <summary>The tables of <c>sync.db</c>. Times are .NET's ticks, UTC: what is saved comes back exactly.</summary>
internal static class SqliteTables
{
    public const int Version = 2;

    private const string Tables = """
        CREATE TABLE tags (
            job          TEXT NOT NULL,
            repository   TEXT NOT NULL,      -- the source's name
            tag          TEXT NOT NULL,
            seen         TEXT,               -- a digest
            seen_at      INTEGER,
            etag         TEXT,
            put          TEXT,               -- a digest
            put_at       INTEGER,
            terms        TEXT,               -- from where to where and how much of it
            referrers_at INTEGER,
            failures     INTEGER NOT NULL,
            why          TEXT,
            PRIMARY KEY (job, repository, tag)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE runs (
            id              INTEGER PRIMARY KEY,
            job             TEXT NOT NULL,
            cause           TEXT NOT NULL,
            started_at      INTEGER NOT NULL,
            ended_at        INTEGER,
            outcome         TEXT NOT NULL,
            copied          INTEGER NOT NULL,
            up_to_date      INTEGER NOT NULL,
            deleted         INTEGER NOT NULL,
            failed          INTEGER NOT NULL,
            blobs           INTEGER NOT NULL,
            bytes           INTEGER NOT NULL,
            mounted         INTEGER NOT NULL,
            source_requests INTEGER NOT NULL,
            target_requests INTEGER NOT NULL,
            why             TEXT
        ) STRICT;
        CREATE INDEX runs_by_job ON runs (job, id);

        CREATE TABLE verified (
            job TEXT PRIMARY KEY,
            at  INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE uploads (
            registry         TEXT NOT NULL,
            digest           TEXT NOT NULL,
            repository       TEXT NOT NULL,
            location         TEXT NOT NULL,
            offset           INTEGER NOT NULL,
            chunk_min_length INTEGER,
            saved_at         INTEGER NOT NULL,
            PRIMARY KEY (registry, digest)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE places (
            number     INTEGER PRIMARY KEY,  -- grows with each that is saved
            registry   TEXT NOT NULL,
            digest     TEXT NOT NULL,
            repository TEXT NOT NULL,
            UNIQUE (registry, digest)
        ) STRICT;
        """;

    /// <summary>A database of up to this many bytes is looked through whole when it is opened: that costs some milliseconds.</summary>
    private const long SmallDatabase = 8 * 1024 * 1024;

    /// <summary>
    /// Makes the tables where there are none. A commit does not wait for the disk (<c>synchronous = NORMAL</c>): with the log that SQLite
    /// writes ahead, losing power costs the last commits and never the database, and what they said is found out again.
    /// </summary>
    /// <returns>Why this database can not be gone on with; null where it can.</returns>
    public static string? Prepare(SqlSession session)
    {
        session.FindOne("PRAGMA journal_mode = WAL", row => row.GetString(0));
        session.Execute("PRAGMA synchronous = NORMAL");
        var version = session.FindOne("PRAGMA user_version", row => row.GetInt32(0));
        if (version is not (0 or Version))
        {
            return $"is of another version of the program ({version}, and this one knows {Version})";
        }

        if (version == 0)
        {
            session.Execute("BEGIN IMMEDIATE");
            session.Execute(Tables);
            session.Execute($"PRAGMA user_version = {Version}");
            session.Execute("COMMIT");
        }

        return FindDamage(session) is { } damage ? $"is damaged ({damage})" : null;
    }

    private static string? FindDamage(SqlSession session)
    {
        foreach (var table in new[] { "tags", "runs", "verified", "uploads", "places" })
        {
            session.FindOne($"SELECT * FROM {table} ORDER BY 1 LIMIT 1", row => row.GetValue(0));
            session.FindOne($"SELECT * FROM {table} ORDER BY 1 DESC LIMIT 1", row => row.GetValue(0));
        }

        var bytes = session.FindOne("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", row => row.GetInt64(0));
        var said = bytes <= SmallDatabase ? session.FindOne("PRAGMA quick_check(1)", row => row.GetString(0)) : "ok";
        return said == "ok" ? null : said;
    }
}
