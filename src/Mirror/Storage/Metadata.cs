using Microsoft.Data.Sqlite;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>A repository of a registry, as the store knows it.</summary>
/// <param name="Registry">The registry's name in the configuration; empty for our own.</param>
/// <param name="Name">The repository's name there.</param>
public sealed record RepositoryKey(string Registry, RepositoryName Name)
{
    /// <summary>Stands for us in the place of a registry's name.</summary>
    public const string OwnRegistry = "";

    /// <summary>Whether it is our own.</summary>
    public bool IsLocal => Registry == OwnRegistry;

    /// <summary>A repository of our own.</summary>
    public static RepositoryKey Local(RepositoryName name) => new(OwnRegistry, name);

    /// <summary>The name that reaches it from outside, whatever the default registry is.</summary>
    public override string ToString() => IsLocal ? $"{Name}" : $"{Registry}/{Name}";
}

/// <summary>A repository refers to some content.</summary>
/// <param name="Descriptor">What it refers to.</param>
/// <param name="Held">Whether its registry itself gave us the content or confirmed that it has it, but not through a private repository.</param>
/// <param name="Blob">The content, where it is here.</param>
public sealed record Link(Descriptor Descriptor, bool Held, BlobRecord? Blob);

/// <summary>A cached tag.</summary>
/// <param name="Digest">Of a manifest that is here.</param>
/// <param name="CheckedAt">When upstream last said so.</param>
public sealed record TagRecord(Digest Digest, DateTimeOffset CheckedAt);

/// <summary>A cached tag with its repository.</summary>
/// <param name="Repository">Where it is.</param>
/// <param name="Tag">The tag.</param>
/// <param name="Digest">Of a manifest that is here.</param>
/// <param name="CheckedAt">When upstream last said so.</param>
public sealed record TaggedManifest(RepositoryKey Repository, Tag Tag, Digest Digest, DateTimeOffset CheckedAt);

/// <summary>How much a registry has given us.</summary>
/// <param name="Registry">Its name in the configuration; null for all registries together.</param>
/// <param name="AreManifests">Whether these are its manifests, or its blobs.</param>
/// <param name="Count">How many are here.</param>
/// <param name="Bytes">Of all of them together.</param>
public sealed record HeldContent(string? Registry, bool AreManifests, long Count, long Bytes);

/// <summary>What upstream said of a tag.</summary>
/// <param name="Tag">The tag.</param>
/// <param name="SaidAt">When it was asked: the answer may be older than one to a later question.</param>
public sealed record TagSighting(Tag Tag, DateTimeOffset SaidAt);

/// <summary>A repository with tags.</summary>
/// <param name="Key">The repository.</param>
/// <param name="IsPublic">Whether upstream has said that everybody may read it.</param>
public sealed record CatalogEntry(RepositoryKey Key, bool IsPublic);

/// <summary>
/// What the store knows about its content: repositories, links, tags. Reads are synchronous, a few microseconds each, and never wait for
/// writes; a write's task is done when it is durable.
/// </summary>
public sealed class Metadata : IAsyncDisposable
{
    // A page of a list begins where the one before ended, so each costs the same, wherever in the list and however long that is.
    internal const string TagPage = $"SELECT name FROM tags WHERE repository = {RepositoryId} AND name > $3 ORDER BY name LIMIT $4";

    internal const string RepositoryPage = """
        SELECT name, public_at IS NOT NULL FROM repositories
        WHERE registry = $1 AND name > $2 AND EXISTS (SELECT 1 FROM tags WHERE tags.repository = id)
        ORDER BY name LIMIT $3
        """;

    private const string RepositoryId = "(SELECT id FROM repositories WHERE registry = $1 AND name = $2)";
    internal static readonly string ManifestTypes = string.Join(", ", MediaTypes.Manifests.Select(type => $"'{type}'"));

    private readonly MetadataWriter _writer;
    private readonly MetadataReaders _readers;
    private readonly TimeProvider _time;

    private Metadata(MetadataWriter writer, MetadataReaders readers, DatabaseDamage damage, TimeProvider time)
    {
        _writer = writer;
        _readers = readers;
        _time = time;
        Damage = damage;
        Local = new LocalRefs(writer, readers, time);
        Uses = new LastUses(writer, time);
        Cached = new CachedRefs(writer, readers);
    }

    /// <summary>Of repositories that are our own.</summary>
    public LocalRefs Local { get; }

    /// <summary>When what is here was last asked for.</summary>
    public LastUses Uses { get; }

    /// <summary>What has turned out to be wrong with the database itself.</summary>
    public DatabaseDamage Damage { get; }

    /// <summary>Of upstreams' repositories.</summary>
    public CachedRefs Cached { get; }

    /// <exception cref="StoreException">The database can not be used.</exception>
    public static Metadata Open(StoreLayout layout, TimeProvider time)
    {
        var session = OpenDatabase(layout);
        try
        {
            var damage = new DatabaseDamage();
            var journal = RefJournal.Open(layout);
            JournalTail.Settle(session, journal, layout.Journal, time);
            return new Metadata(
                new MetadataWriter(session, journal, damage, time), new MetadataReaders(layout.Database, damage), damage, time);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Whether a repository refers to some content, and whether that is here: all a read needs to know, in one look.</summary>
    public Link? FindLink(RepositoryKey repository, Digest digest) => _readers.Read(session => session.FindOne(
        """
        SELECT l.media_type, l.size, EXISTS (SELECT 1 FROM holdings h WHERE h.holder IN ($1, $1 || '/' || $2) AND h.digest = $3),
            b.size, b.checksums
        FROM links l LEFT JOIN blobs b ON b.digest = l.digest
        WHERE l.repository = (SELECT id FROM repositories WHERE registry = $1 AND name = $2) AND l.digest = $3
        """,
        row => new Link(new Descriptor(row.GetString(0), digest, row.GetInt64(1)), row.GetBoolean(2), ReadBlob(row, digest, 3)),
        repository.Registry, repository.Name.ToString(), digest.ToString()));

    /// <summary>Content that is here, whoever refers to it.</summary>
    public BlobRecord? FindBlob(Digest digest) => _readers.Read(session => session.FindOne(
        "SELECT size, checksums FROM blobs WHERE digest = $1", row => ReadBlob(row, digest, 0), digest.ToString()));

    public TagRecord? FindTag(RepositoryKey repository, Tag tag) => _readers.Read(session => session.FindOne(
        $"SELECT digest, checked_at FROM tags WHERE repository = {RepositoryId} AND name = $3",
        row => new TagRecord(Digest.Parse(row.GetString(0)), DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(1))),
        repository.Registry, repository.Name.ToString(), tag.ToString()));

    /// <summary>At most <paramref name="n"/> tags that are here behind <paramref name="last"/>, in the order of their bytes.</summary>
    public IReadOnlyList<Tag> ListTags(RepositoryKey repository, int n, string? last) => _readers.Read(session => session.List(
        TagPage,
        row => Tag.Parse(row.GetString(0)),
        repository.Registry, repository.Name.ToString(), last ?? "", n));

    /// <summary>At most <paramref name="n"/> cached tags behind <paramref name="last"/>, by registry, repository and tag.</summary>
    public IReadOnlyList<TaggedManifest> ListTaggedManifests(int n, TaggedManifest? last) => _readers.Read(session => session.List(
        """
        SELECT r.registry, r.name, t.name, t.digest, t.checked_at FROM repositories r CROSS JOIN tags t ON t.repository = r.id
        WHERE (r.registry, r.name) >= ($1, $2) AND t.name > CASE WHEN r.registry = $1 AND r.name = $2 THEN $3 ELSE '' END
        ORDER BY r.registry, r.name, t.name LIMIT $4
        """,
        row => new TaggedManifest(
            new RepositoryKey(row.GetString(0), RepositoryName.Parse(row.GetString(1))),
            Tag.Parse(row.GetString(2)),
            Digest.Parse(row.GetString(3)),
            DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(4))),
        last?.Repository.Registry ?? "", last?.Repository.Name.ToString() ?? "", last?.Tag.ToString() ?? "", n));

    /// <summary>How much each registry has given us; null is all of them together, where shared content counts once.</summary>
    public IReadOnlyList<HeldContent> MeasureContent() => _readers.Read(session => session.List(
        $"""
        WITH manifests AS MATERIALIZED (SELECT DISTINCT digest FROM links WHERE media_type IN ({ManifestTypes})),
            held AS MATERIALIZED (SELECT DISTINCT substr(holder, 1, instr(holder || '/', '/') - 1) AS registry, digest FROM holdings)
        SELECT NULL, m.digest IS NOT NULL, count(*), sum(b.size) FROM blobs b LEFT JOIN manifests m ON m.digest = b.digest GROUP BY 2
        UNION ALL
        SELECT h.registry, m.digest IS NOT NULL, count(*), sum(b.size)
        FROM held h JOIN blobs b ON b.digest = h.digest LEFT JOIN manifests m ON m.digest = h.digest GROUP BY 1, 2
        ORDER BY 1, 2
        """,
        row => new HeldContent(row.IsDBNull(0) ? null : row.GetString(0), row.GetBoolean(1), row.GetInt64(2), row.GetInt64(3))));

    /// <summary>At most <paramref name="n"/> of a registry's repositories that have tags here, in the order of their bytes.</summary>
    /// <param name="registry">Whose.</param>
    /// <param name="n">How many.</param>
    /// <param name="last">Those behind this name; empty for the first.</param>
    public IReadOnlyList<CatalogEntry> ListRepositories(string registry, int n, string last) => _readers.Read(session => session.List(
        RepositoryPage,
        row => new CatalogEntry(new RepositoryKey(registry, RepositoryName.Parse(row.GetString(0))), row.GetBoolean(1)),
        registry, last, n));

    /// <summary>When upstream last said that everybody may read a repository; null where it never did, or has taken it back.</summary>
    public DateTimeOffset? FindPublic(RepositoryKey repository) => _readers.Read(session => session.FindOne<DateTimeOffset?>(
        "SELECT public_at FROM repositories WHERE registry = $1 AND name = $2 AND public_at IS NOT NULL",
        row => DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(0)),
        repository.Registry, repository.Name.ToString()));

    /// <summary>Whether there is content of a registry that one of its repositories alone vouches for.</summary>
    public bool HasPrivate(string registry) => _readers.Read(session => session.FindOne(
        "SELECT EXISTS (SELECT 1 FROM holdings WHERE holder > $1 || '/' AND holder < $1 || '0')", row => row.GetBoolean(0), registry));

    /// <summary>Upstream says that everybody may read a repository.</summary>
    public Task RecordPublicAsync(RepositoryKey repository, DateTimeOffset saidAt) => _writer.WriteAsync(write => write.Session.Execute(
        "UPDATE repositories SET public_at = $2 WHERE id = $1", write.GetId(repository), saidAt.ToUnixTimeMilliseconds()));

    /// <summary>Upstream says that not everybody may read a repository.</summary>
    public Task RemovePublicAsync(RepositoryKey repository) => _writer.WriteAsync(write => write.Session.Execute(
        "UPDATE repositories SET public_at = NULL WHERE registry = $1 AND name = $2", repository.Registry, repository.Name.ToString()));

    /// <summary>A blob that <paramref name="repository"/>'s registry gave us through it has been published.</summary>
    /// <param name="repository">Whose blob it is.</param>
    /// <param name="yesHolds">
    /// Where the registry may give us what it does not give everybody: how long its word counts that a repository is public. One that is not, or that
    /// nobody has asked about since, vouches for itself alone. Null where the registry gives us what it gives everybody.
    /// </param>
    /// <param name="blob">Its published bytes.</param>
    public Task RecordBlobAsync(RepositoryKey repository, TimeSpan? yesHolds, BlobRecord blob) => _writer.WriteAsync(write =>
    {
        write.InsertBlob(blob);
        Vouch(write, repository, yesHolds, new Descriptor(MediaTypes.OctetStream, blob.Digest, blob.Size));
    });

    /// <summary>The registry has confirmed that it has content that is here, and that <paramref name="repository"/> refers to it.</summary>
    public Task RecordConfirmedAsync(RepositoryKey repository, TimeSpan? yesHolds, Descriptor content) =>
        _writer.WriteAsync(write => Vouch(write, repository, yesHolds, content));

    /// <summary>
    /// A manifest that the registry gave us through <paramref name="repository"/> has been published. What it refers to is linked too.
    /// </summary>
    /// <param name="repository">Whose manifest it is.</param>
    /// <param name="yesHolds">As with <see cref="RecordBlobAsync"/>.</param>
    /// <param name="manifest">The manifest.</param>
    /// <param name="blob">Its published bytes.</param>
    /// <param name="tags">Tags that upstream says point to it.</param>
    public Task RecordManifestAsync(
        RepositoryKey repository, TimeSpan? yesHolds, Manifest manifest, BlobRecord blob, IReadOnlyList<TagSighting> tags) =>
        _writer.WriteAsync(write =>
        {
            write.InsertBlob(blob);
            var id = Vouch(write, repository, yesHolds, manifest.Descriptor);
            write.LinkAsClaimed(id, manifest.View());
            foreach (var tag in tags)
            {
                SetTag(write, repository, id, tag, manifest.Digest);
            }
        });

    /// <summary>Upstream says that a tag points to a manifest that is here.</summary>
    public Task RecordTagAsync(RepositoryKey repository, TagSighting tag, Digest digest) =>
        _writer.WriteAsync(write => SetTag(write, repository, write.GetId(repository), tag, digest));

    /// <summary>Upstream says that a tag is gone.</summary>
    public Task RemoveTagAsync(RepositoryKey repository, TagSighting tag) => _writer.WriteAsync(write =>
    {
        if (write.Session.Execute(
            $"DELETE FROM tags WHERE repository = {RepositoryId} AND name = $3 AND checked_at < $4",
            repository.Registry, repository.Name.ToString(), tag.Tag.ToString(), tag.SaidAt.ToUnixTimeMilliseconds()) > 0)
        {
            write.NoteUntagged(repository, tag.Tag);
        }
    });

    /// <summary>Takes everything out of a repository, whosever it is.</summary>
    /// <returns>Null where there was nothing.</returns>
    public Task<RemovedRefs?> RemoveAllAsync(RepositoryKey repository) => RepositoryRemoval.RemoveAllAsync(_writer, repository);

    /// <summary>Content turned out to be damaged or gone: it is no longer here.</summary>
    public Task ForgetBlobAsync(Digest digest) =>
        _writer.WriteAsync(write => write.Session.Execute("DELETE FROM blobs WHERE digest = $1", digest.ToString()));

    /// <summary>What keeps the database from being read, or null.</summary>
    public SqliteException? FindFault()
    {
        try
        {
            _readers.Read(session => session.FindOne("SELECT count(*) FROM repositories", row => row.GetInt64(0)));
            return null;
        }
        catch (SqliteException e)
        {
            return e;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Uses.DisposeAsync();
        _readers.Dispose();
        // Who can write closes last: then all is in the one file, and its log is gone.
        await _writer.DisposeAsync();
    }

    private static SqlSession OpenDatabase(StoreLayout layout)
    {
        // SQLite would make one, and nobody would notice that all was forgotten.
        if (new FileInfo(layout.Database) is not { Exists: true, Length: > 0 } && layout.HoldsContent())
        {
            throw DatabaseDamage.Missing(layout);
        }

        SqlSession? session = null;
        try
        {
            session = new SqlSession(layout.Database, readOnly: false);
            if (Schema.GetVersion(session) == 0 && layout.HoldsContent())
            {
                throw DatabaseDamage.Missing(layout);
            }

            Schema.Prepare(session);
            return Schema.FindDamage(session) is { } damage ? throw DatabaseDamage.Found(layout, damage) : session;
        }
        catch (SqliteException e)
        {
            session?.Dispose();
            throw DatabaseDamage.IsIn(e)
                ? DatabaseDamage.Found(layout, e.Message, e)
                : new StoreException($"the database {layout.Database} can not be used: {e.Message}", e);
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    internal static BlobRecord? ReadBlob(SqliteDataReader row, Digest digest, int column) =>
        !row.IsDBNull(column) && BlockChecksums.FromBytes((byte[])row.GetValue(column + 1), row.GetInt64(column)) is { } checksums
            ? new BlobRecord(digest, row.GetInt64(column), checksums)
            : null;

    /// <summary>Links content that the registry itself has given or confirmed.</summary>
    /// <returns>The repository's row.</returns>
    private long Vouch(IndexWrite write, RepositoryKey repository, TimeSpan? yesHolds, Descriptor content)
    {
        var id = write.GetId(repository);
        write.Link(repository, id, content);
        var alone = yesHolds is { } holds && !IsPublic(write.Session, id, holds);
        write.Hold(repository, alone, content.Digest);
        return id;
    }

    /// <summary>What has been said in the future was said before the clock was set back, and does not count.</summary>
    private bool IsPublic(SqlSession session, long id, TimeSpan yesHolds)
    {
        var now = _time.GetUtcNow();
        return session.FindOne(
            "SELECT ifnull(public_at > $2 AND public_at <= $3, 0) FROM repositories WHERE id = $1",
            row => row.GetBoolean(0),
            id, (now - yesHolds).ToUnixTimeMilliseconds(), now.ToUnixTimeMilliseconds());
    }

    /// <summary>A question may be answered late: what upstream said after it was asked stands.</summary>
    private static void SetTag(IndexWrite write, RepositoryKey repository, long id, TagSighting tag, Digest digest)
    {
        var known = write.Session.FindOne(
            "SELECT digest, checked_at FROM tags WHERE repository = $1 AND name = $2",
            row => new TagRecord(Digest.Parse(row.GetString(0)), DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(1))),
            id, tag.Tag.ToString());
        var isLater = known is null || known.CheckedAt.ToUnixTimeMilliseconds() < tag.SaidAt.ToUnixTimeMilliseconds();
        if (known?.Digest == digest)
        {
            write.Session.Execute(
                "UPDATE tags SET checked_at = max(checked_at, $3) WHERE repository = $1 AND name = $2",
                id, tag.Tag.ToString(), tag.SaidAt.ToUnixTimeMilliseconds());
        }
        else if (isLater)
        {
            write.SetTag(repository, id, tag.Tag, digest, tag.SaidAt);
        }
    }
}
