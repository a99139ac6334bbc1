namespace Mirror.Storage;

/// <summary>
/// The tables of <c>mirror.db</c>. Everything in them can be made again from the published files and the journal, or is an upstream's word
/// that it gives again when it is asked.
/// </summary>
internal static class Schema
{
    private const int Version = 2;

    private const string Tables = """
        -- Published content, manifests too.
        CREATE TABLE blobs (
            digest    TEXT PRIMARY KEY,
            size      INTEGER NOT NULL,
            checksums BLOB NOT NULL          -- XXH3-64 of each 256 KiB, little-endian
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

    private const string FromVersion1 = """
        ALTER TABLE repositories ADD COLUMN public_at INTEGER;
        ALTER TABLE holdings RENAME COLUMN registry TO holder;
        """;

    /// <exception cref="StoreException">The database was made by a newer version.</exception>
    public static void Prepare(SqlSession session)
    {
        session.FindOne("PRAGMA journal_mode = WAL", row => row.GetString(0));
        session.Execute("PRAGMA synchronous = FULL");
        session.Execute("PRAGMA foreign_keys = ON");
        var version = session.FindOne("PRAGMA user_version", row => row.GetInt32(0));
        if (version > Version)
        {
            throw new StoreException($"mirror.db has version {version}, and this program knows versions up to {Version}: use a newer program");
        }

        if (version < Version)
        {
            session.Execute("BEGIN IMMEDIATE");
            session.Execute(version == 0 ? Tables : FromVersion1);
            session.Execute($"PRAGMA user_version = {Version}");
            session.Execute("COMMIT");
        }
    }
}
