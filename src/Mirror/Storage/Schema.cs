namespace Mirror.Storage;

/// <summary>
/// The tables of <c>mirror.db</c>. Everything in them can be made again from the published files and the journal, or is an upstream's word
/// that it gives again when it is asked.
/// </summary>
internal static class Schema
{
    private const int Version = 4;

    private const string Tables = """
        -- Published content, manifests too.
        CREATE TABLE blobs (
            digest    TEXT PRIMARY KEY,
            size      INTEGER NOT NULL,
            checksums BLOB NOT NULL,         -- XXH3-64 of each 256 KiB, little-endian
            used_at   INTEGER NOT NULL       -- when it was published or a client last asked for it, to the hour; milliseconds since 1970
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE repositories (
            id        INTEGER PRIMARY KEY,
            registry  TEXT NOT NULL,         -- the registry's name in the configuration
            name      TEXT NOT NULL,
            public_at INTEGER,               -- when upstream last said that everybody may read it; milliseconds since 1970
            UNIQUE (registry, name)
        ) STRICT;

        -- "This repository refers to this content": its manifests, what they refer to, and blobs that upstream gave through it.
        CREATE TABLE links (
            repository INTEGER NOT NULL REFERENCES repositories (id),
            digest     TEXT NOT NULL,
            media_type TEXT NOT NULL,
            size       INTEGER NOT NULL,
            PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID;

        -- "This registry itself gave us this content, or confirmed that it has it." A manifest can refer to anything; without this, one that
        -- refers to another registry's private blob would open it.
        CREATE TABLE holdings (
            holder TEXT NOT NULL,            -- the registry; or registry/name, where not everybody may read that repository
            digest TEXT NOT NULL,
            PRIMARY KEY (holder, digest)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE tags (
            repository INTEGER NOT NULL REFERENCES repositories (id),
            name       TEXT NOT NULL,
            digest     TEXT NOT NULL,        -- of a manifest that is here
            checked_at INTEGER NOT NULL,     -- when upstream last said so; milliseconds since 1970
            PRIMARY KEY (repository, name)
        ) STRICT, WITHOUT ROWID;
        """;

    private const string Referrers = """
        -- What refers to which manifest of our own repositories; the subject need not be here.
        CREATE TABLE referrers (
            repository    INTEGER NOT NULL REFERENCES repositories (id),
            subject       TEXT NOT NULL,
            digest        TEXT NOT NULL,     -- of the manifest that refers
            media_type    TEXT NOT NULL,
            size          INTEGER NOT NULL,
            artifact_type TEXT,
            annotations   TEXT NOT NULL,     -- JSON
            PRIMARY KEY (repository, subject, digest)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX referrers_by_digest ON referrers (repository, digest);
        CREATE INDEX links_by_digest ON links (digest);
        """;

    private const string FromVersion1 = """
        ALTER TABLE repositories ADD COLUMN public_at INTEGER;
        ALTER TABLE holdings RENAME COLUMN registry TO holder;
        """;

    /// <summary>Nobody knows when it was used: as if it had been a moment ago.</summary>
    private const string FromVersion3 = """
        ALTER TABLE blobs ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
        UPDATE blobs SET used_at = unixepoch() * 1000;
        """;

    private const string Journal = """
        -- How much of the journal is in this database, in bytes; null where it is all. One row.
        CREATE TABLE journal (length INTEGER) STRICT;
        INSERT INTO journal VALUES (NULL);
        """;

    /// <summary>A database of up to this many bytes is looked through whole at start: that costs some milliseconds.</summary>
    private const long SmallDatabase = 8 * 1024 * 1024;

    /// <summary>The version of a database's tables; 0 where it has none.</summary>
    /// <exception cref="StoreException">The database was made by a newer version.</exception>
    public static int GetVersion(SqlSession session)
    {
        var version = session.FindOne("PRAGMA user_version", row => row.GetInt32(0));
        return version <= Version
            ? version
            : throw new StoreException($"mirror.db has version {version}, and this program knows versions up to {Version}: use a newer program");
    }

    /// <summary>Makes the tables, or brings those of an earlier version to this one.</summary>
    public static void Prepare(SqlSession session)
    {
        session.FindOne("PRAGMA journal_mode = WAL", row => row.GetString(0));
        session.Execute("PRAGMA synchronous = FULL");
        session.Execute("PRAGMA foreign_keys = ON");
        var version = GetVersion(session);
        if (version == Version)
        {
            return;
        }

        session.Execute("BEGIN IMMEDIATE");
        if (version < 2)
        {
            session.Execute(version == 0 ? Tables : FromVersion1);
        }

        if (version < 3)
        {
            session.Execute(Referrers);
        }

        if (version > 0)
        {
            session.Execute(FromVersion3);
        }

        session.Execute(Journal);
        session.Execute($"PRAGMA user_version = {Version}");
        session.Execute("COMMIT");
    }

    /// <summary>
    /// Looks for damage: in a small database everywhere, in a large one only at the two ends of each table. What else is wrong with it is found by
    /// the first read that meets it.
    /// </summary>
    /// <returns>What is wrong, or null.</returns>
    public static string? FindDamage(SqlSession session)
    {
        foreach (var table in new[] { "blobs", "repositories", "links", "holdings", "tags", "referrers" })
        {
            session.FindOne($"SELECT * FROM {table} ORDER BY 1 LIMIT 1", row => row.GetValue(0));
            session.FindOne($"SELECT * FROM {table} ORDER BY 1 DESC LIMIT 1", row => row.GetValue(0));
        }

        var bytes = session.FindOne("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", row => row.GetInt64(0));
        var said = bytes <= SmallDatabase ? session.FindOne("PRAGMA quick_check(1)", row => row.GetString(0)) : "ok";
        return said == "ok" ? null : said;
    }
}
