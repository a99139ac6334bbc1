using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// One change of the index, inside the writer's transaction: its statements, and what of it the journal has to know. What a repository's registry
/// says again when it is asked is not journalled.
/// </summary>
internal sealed class IndexWrite(SqlSession session, TimeProvider time)
{
    private readonly List<RefChange> _changes = [];

    public SqlSession Session => session;

    /// <summary>For the journal.</summary>
    public IReadOnlyList<RefChange> Changes => _changes;

    /// <summary>Content has been published.</summary>
    public void InsertBlob(BlobRecord blob) => InsertBlob(blob, time.GetUtcNow());

    /// <summary>Content was published.</summary>
    public void InsertBlob(BlobRecord blob, DateTimeOffset usedAt) => session.Execute(
        """
        INSERT INTO blobs (digest, size, checksums, used_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO UPDATE SET size = $2, checksums = $3, used_at = max(used_at, $4)
        """,
        blob.Digest.ToString(), blob.Size, blob.Checksums.ToBytes(), usedAt.ToUnixTimeMilliseconds());

    /// <summary>The repository's row, made now if it is new.</summary>
    public long GetId(RepositoryKey repository)
    {
        session.Execute(
            "INSERT INTO repositories (registry, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", repository.Registry, repository.Name.ToString());
        return FindId(repository).GetValueOrDefault();
    }

    public long? FindId(RepositoryKey repository) => session.FindOne<long?>(
        "SELECT id FROM repositories WHERE registry = $1 AND name = $2", row => row.GetInt64(0), repository.Registry, repository.Name.ToString());

    /// <summary>A repository refers to content that its registry itself has given, confirmed or received.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="id">Its row.</param>
    /// <param name="content">What it refers to. A manifest's own media type is surer than what an index has said of it.</param>
    public void Link(RepositoryKey repository, long id, Descriptor content)
    {
        if (Insert(id, content, replace: MediaTypes.IsManifest(content.MediaType)))
        {
            Note("link", repository, digest: content.Digest, content: content);
        }
    }

    /// <summary>
    /// A repository's manifest says what it refers to. Not of foreign layers: no registry checks that those exist, so their names say nothing.
    /// </summary>
    public void LinkAsClaimed(long id, ManifestView manifest)
    {
        foreach (var content in manifest.Children.Concat(manifest.Blobs).Where(content => !MediaTypes.IsForeignLayer(content.MediaType)))
        {
            Insert(id, content, replace: false);
        }
    }

    /// <summary>
    /// A repository no longer refers to some content, nor vouches for it; and its registry does not either, unless another of its repositories
    /// refers to it.
    /// </summary>
    /// <returns>Whether it did.</returns>
    public bool Unlink(RepositoryKey repository, long id, Digest digest)
    {
        var existed = session.Execute("DELETE FROM links WHERE repository = $1 AND digest = $2", id, digest.ToString()) > 0;
        if (existed)
        {
            Note("unlink", repository, digest: digest);
            Unhold(repository, digest);
        }

        return existed;
    }

    /// <summary>A registry vouches for content; or one repository alone.</summary>
    public void Hold(RepositoryKey repository, bool alone, Digest digest)
    {
        if (InsertHolding(alone ? repository.ToString() : repository.Registry, digest))
        {
            NoteHolder("hold", repository, alone, digest);
        }
    }

    /// <returns>Whether it was not there yet.</returns>
    public bool InsertHolding(string holder, Digest digest) => session.Execute(
        "INSERT INTO holdings (holder, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING", holder, digest.ToString()) > 0;

    /// <summary>A tag points to a manifest as of <paramref name="at"/>, whatever it pointed to before.</summary>
    public void SetTag(RepositoryKey repository, long id, Tag tag, Digest digest, DateTimeOffset at)
    {
        session.Execute(
            """
            INSERT INTO tags (repository, name, digest, checked_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO UPDATE SET digest = $3, checked_at = $4
            """,
            id, tag.ToString(), digest.ToString(), at.ToUnixTimeMilliseconds());
        Note("tag", repository, tag, digest);
    }

    /// <summary>A tag is gone; it was there.</summary>
    public void NoteUntagged(RepositoryKey repository, Tag tag) => Note("untag", repository, tag);

    /// <summary>Whether a repository refers to some content as a manifest, or has a tag that does.</summary>
    public bool HasManifest(long id, Digest digest) => session.FindOne(
        $"""
        SELECT EXISTS (SELECT 1 FROM links WHERE repository = $1 AND digest = $2 AND media_type IN ({Metadata.ManifestTypes}))
            OR EXISTS (SELECT 1 FROM tags WHERE repository = $1 AND digest = $2)
        """,
        row => row.GetBoolean(0),
        id, digest.ToString());

    /// <summary>The tags that point to a manifest are gone.</summary>
    /// <returns>Those that there were.</returns>
    public IReadOnlyList<Tag> RemoveTagsOf(RepositoryKey repository, long id, Digest digest)
    {
        var tags = session.List(
            "DELETE FROM tags WHERE repository = $1 AND digest = $2 RETURNING name", row => Tag.Parse(row.GetString(0)), id, digest.ToString());
        tags.ForEach(tag => NoteUntagged(repository, tag));
        return tags;
    }

    /// <summary>A manifest no longer counts among its subject's referrers.</summary>
    public void RemoveReferrer(long id, Digest digest) =>
        session.Execute("DELETE FROM referrers WHERE repository = $1 AND digest = $2", id, digest.ToString());

    private void Unhold(RepositoryKey repository, Digest digest)
    {
        // The full name of one of our own may be that of an upstream's.
        if (!repository.IsLocal
            && session.Execute("DELETE FROM holdings WHERE holder = $1 AND digest = $2", repository.ToString(), digest.ToString()) > 0)
        {
            NoteHolder("unhold", repository, alone: true, digest);
        }

        if (session.Execute(
            """
            DELETE FROM holdings WHERE holder = $1 AND digest = $2 AND NOT EXISTS (
                SELECT 1 FROM links l JOIN repositories r ON r.id = l.repository WHERE l.digest = $2 AND r.registry = $1)
            """,
            repository.Registry, digest.ToString()) > 0)
        {
            NoteHolder("unhold", repository, alone: false, digest);
        }
    }

    private bool Insert(long id, Descriptor content, bool replace) => session.Execute(
        """
        INSERT INTO links (repository, digest, media_type, size) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO UPDATE SET media_type = $3, size = $4 WHERE $5 AND (media_type <> $3 OR size <> $4)
        """,
        id, content.Digest.ToString(), content.MediaType, content.Size, replace) > 0;

    private void Note(string op, RepositoryKey repository, Tag? tag = null, Digest? digest = null, Descriptor? content = null) => _changes.Add(
        Change(op, repository) with { Tag = tag?.ToString(), Digest = digest?.ToString(), MediaType = content?.MediaType, Size = content?.Size });

    private void NoteHolder(string op, RepositoryKey repository, bool alone, Digest digest) =>
        _changes.Add(Change(op, repository) with { Repository = alone ? repository.Name.ToString() : null, Digest = digest.ToString() });

    private RefChange Change(string op, RepositoryKey repository) =>
        new(time.GetUtcNow(), op, repository.Registry, repository.Name.ToString(), null, null, null, null);
}
