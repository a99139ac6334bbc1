using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>What a manifest lacks to be accepted.</summary>
/// <param name="Content">What it refers to.</param>
/// <param name="IsThere">Whether the repository has it, but with another size.</param>
public sealed record LackingReference(Descriptor Content, bool IsThere);

/// <summary>
/// What the store knows of repositories that are our own: what was pushed to them, under which tags, and what refers to what. Content is in a
/// repository when it was pushed to it or mounted into it, and not before; that some manifest names it is no reason.
/// </summary>
public sealed class LocalRefs
{
    private const string RepositoryId = "(SELECT id FROM repositories WHERE registry = '' AND name = $1)";

    /// <summary>About as many bytes does a descriptor have that says nothing of itself.</summary>
    private const int EmptyDescriptor = 350;

    /// <summary>Bytes of a character in JSON: <c>\u0000</c>.</summary>
    private const int LongestCharacter = 6;

    private readonly MetadataWriter _writer;
    private readonly MetadataReaders _readers;
    private readonly TimeProvider _time;

    internal LocalRefs(MetadataWriter writer, MetadataReaders readers, TimeProvider time)
    {
        _writer = writer;
        _readers = readers;
        _time = time;
    }

    /// <summary>Whether anything was pushed to a repository.</summary>
    public bool Exists(RepositoryName repository) => _readers.Read(session => session.FindOne(
        $"SELECT EXISTS (SELECT 1 FROM links WHERE repository = {RepositoryId})", row => row.GetBoolean(0), repository.ToString()));

    /// <summary>Whether a repository has a manifest: something to be pulled.</summary>
    public bool HasManifests(RepositoryName repository) => _readers.Read(session => session.FindOne(
        $"SELECT EXISTS (SELECT 1 FROM links WHERE repository = {RepositoryId} AND media_type IN ({Metadata.ManifestTypes}))",
        row => row.GetBoolean(0),
        repository.ToString()));

    /// <summary>Our own repositories that have a manifest, at most <paramref name="n"/>, behind <paramref name="last"/>.</summary>
    public IReadOnlyList<RepositoryName> ListRepositories(int n, string last) => _readers.Read(session => session.List(
        $"""
        SELECT name FROM repositories WHERE registry = '' AND name > $1
            AND EXISTS (SELECT 1 FROM links WHERE repository = id AND media_type IN ({Metadata.ManifestTypes}))
        ORDER BY name LIMIT $2
        """,
        row => RepositoryName.Parse(row.GetString(0)),
        last, n));

    /// <summary>Our own repositories that have some content.</summary>
    public IReadOnlyList<RepositoryName> FindHolders(Digest digest, int n) => _readers.Read(session => session.List(
        """
        SELECT r.name FROM repositories r JOIN links l ON l.repository = r.id JOIN blobs b ON b.digest = l.digest
        WHERE r.registry = '' AND l.digest = $1 LIMIT $2
        """,
        row => RepositoryName.Parse(row.GetString(0)), digest.ToString(), n));

    /// <summary>A blob that was pushed has been published, or one that is here was mounted.</summary>
    public Task AddBlobAsync(RepositoryName repository, BlobRecord blob) => _writer.WriteAsync(write =>
    {
        var key = RepositoryKey.Local(repository);
        write.InsertBlob(blob);
        write.Link(key, write.GetId(key), new Descriptor(MediaTypes.OctetStream, blob.Digest, blob.Size));
        write.Hold(key, alone: false, blob.Digest);
    });

    /// <summary>
    /// A manifest that was pushed has been published. It is in the repository, under its tags, if what it refers to is there when this is
    /// committed. Layers that no registry has need not be, nor an index's children: who copies an index for some platforms leaves the others out.
    /// </summary>
    /// <param name="repository">Where it was pushed to.</param>
    /// <param name="manifest">The manifest.</param>
    /// <param name="view">What it says.</param>
    /// <param name="blob">Its published bytes.</param>
    /// <param name="tags">Point to it from now on.</param>
    /// <returns>What is lacking: none of it was done then.</returns>
    public async Task<LackingReference?> AddManifestAsync(
        RepositoryName repository, Manifest manifest, ManifestView view, BlobRecord blob, IReadOnlyList<Tag> tags)
    {
        LackingReference? lacking = null;
        await _writer.WriteAsync(write =>
        {
            var key = RepositoryKey.Local(repository);
            var id = write.GetId(key);
            lacking = FindLacking(view, digest => FindSize(write.Session, id, digest));
            if (lacking is not null)
            {
                return;
            }

            write.InsertBlob(blob);
            write.Link(key, id, manifest.Descriptor);
            write.Hold(key, alone: false, manifest.Digest);
            RecordReferrer(write.Session, id, manifest, view);
            foreach (var tag in tags)
            {
                write.SetTag(key, id, tag, manifest.Digest, _time.GetUtcNow());
            }
        });
        return lacking;
    }

    /// <summary>Takes a tag out of a repository. What it pointed to stays.</summary>
    /// <returns>Null where there was no such tag.</returns>
    public Task<RemovedRefs?> RemoveTagAsync(RepositoryName repository, Tag tag) => WriteAsync(repository, (write, key, id) =>
    {
        if (write.Session.FindOne<Digest?>(
            "DELETE FROM tags WHERE repository = $1 AND name = $2 RETURNING digest", row => Digest.Parse(row.GetString(0)), id, tag.ToString())
            is not { } digest)
        {
            return null;
        }

        write.NoteUntagged(key, tag);
        return new RemovedRefs(digest, [tag], Manifests: 0);
    });

    /// <summary>Takes a manifest out of a repository, with the tags that point to it.</summary>
    /// <returns>Null where it was not there.</returns>
    public Task<RemovedRefs?> RemoveManifestAsync(RepositoryName repository, Digest digest) => WriteAsync(repository, (write, key, id) =>
    {
        if (!write.HasManifest(id, digest))
        {
            return null;
        }

        var tags = write.RemoveTagsOf(key, id, digest);
        write.RemoveReferrer(id, digest);
        write.Unlink(key, id, digest);
        return new RemovedRefs(digest, tags, Manifests: 1);
    });

    /// <summary>Takes a blob out of a repository. Manifests that refer to it stay, and lack it.</summary>
    /// <returns>Whether it was there. A manifest is no blob here: its tags would be left without it.</returns>
    public Task<bool> RemoveBlobAsync(RepositoryName repository, Digest digest) =>
        WriteAsync(repository, (write, key, id) => !write.HasManifest(id, digest) && write.Unlink(key, id, digest));

    /// <summary>
    /// At most <paramref name="n"/> of what refers to a manifest, in the order of their digests; fewer where they say so much that
    /// a client would take no more for an index.
    /// </summary>
    /// <param name="repository">Where.</param>
    /// <param name="subject">The manifest, which need not be there.</param>
    /// <param name="artifactType">Only these; null for all.</param>
    /// <param name="n">How many.</param>
    /// <param name="last">Those behind this one.</param>
    /// <returns>Them, and whether there are more.</returns>
    public (IReadOnlyList<Descriptor> Items, bool More) ListReferrers(
        RepositoryName repository, Digest subject, string? artifactType, int n, string? last) => _readers.Read(session =>
    {
        var items = new List<Descriptor>();
        var (size, more) = (0L, false);
        session.Visit(
            $"""
            SELECT digest, media_type, size, artifact_type, annotations FROM referrers
            WHERE repository = {RepositoryId} AND subject = $2 AND ($3 IS NULL OR artifact_type = $3) AND digest > $4
            ORDER BY digest LIMIT $5
            """,
            row =>
            {
                var type = row.IsDBNull(3) ? null : row.GetString(3);
                var annotations = row.GetString(4);
                size += EmptyDescriptor + (LongestCharacter * (type?.Length ?? 0)) + annotations.Length;
                more = items.Count == n || (size > Manifest.MaxSize && items.Count > 0);
                if (!more)
                {
                    items.Add(new Descriptor(row.GetString(1), Digest.Parse(row.GetString(0)), row.GetInt64(2))
                    {
                        ArtifactType = type,
                        Annotations = JsonSerializer.Deserialize(annotations, AnnotationsJson.Default.DictionaryStringString)!,
                    });
                }

                return !more;
            },
            // One more than asked for tells whether there are more.
            repository.ToString(), subject.ToString(), artifactType, last ?? "", n + 1);
        return (items, more);
    });

    /// <summary>What has to be in a repository before a manifest is, and is not.</summary>
    /// <param name="view">What the manifest says.</param>
    /// <param name="findSize">The size of what is in the repository, in bytes.</param>
    internal static LackingReference? FindLacking(ManifestView view, Func<Digest, long?> findSize)
    {
        foreach (var content in ReferencesOf(view))
        {
            var size = findSize(content.Digest);
            if (size != content.Size && !(size is null && view.IsIndex))
            {
                return new LackingReference(content, IsThere: size is not null);
            }
        }

        return null;
    }

    /// <summary>What a manifest refers to, each once, but for layers that no registry has.</summary>
    internal static IEnumerable<Descriptor> ReferencesOf(ManifestView view) => view.Children.Concat(view.Blobs)
        .Where(content => !MediaTypes.IsForeignLayer(content.MediaType))
        .DistinctBy(content => (content.Digest, content.Size));

    private static long? FindSize(SqlSession session, long id, Digest digest) => session.FindOne<long?>(
        "SELECT b.size FROM links l JOIN blobs b ON b.digest = l.digest WHERE l.repository = $1 AND l.digest = $2",
        row => row.GetInt64(0),
        id, digest.ToString());

    internal static void RecordReferrer(SqlSession session, long id, Manifest manifest, ManifestView view)
    {
        if (view.Subject is not { } subject)
        {
            return;
        }

        session.Execute(
            """
            INSERT INTO referrers (repository, subject, digest, media_type, size, artifact_type, annotations) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT DO NOTHING
            """,
            id,
            subject.Digest.ToString(),
            manifest.Digest.ToString(),
            manifest.MediaType,
            manifest.Content.Length,
            string.IsNullOrEmpty(view.ArtifactType) ? view.Config?.MediaType : view.ArtifactType,
            JsonSerializer.Serialize(new Dictionary<string, string>(view.Annotations), AnnotationsJson.Default.DictionaryStringString));
    }

    private async Task<T?> WriteAsync<T>(RepositoryName repository, Func<IndexWrite, RepositoryKey, long, T?> change)
    {
        T? changed = default;
        await _writer.WriteAsync(write =>
        {
            var key = RepositoryKey.Local(repository);
            changed = write.FindId(key) is { } id ? change(write, key, id) : default;
        });
        return changed;
    }
}

[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class AnnotationsJson : JsonSerializerContext;
