using System.Text.Json;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// Takes out of the index what it has of upstreams' repositories. With a manifest goes whatever its repository refers to because of it
/// alone: configs, layers, and an index's manifests, unless tags point to them. Upstream gives all of it once more to whoever asks.
/// </summary>
public sealed class CachedRefs
{
    private readonly MetadataWriter _writer;
    private readonly MetadataReaders _readers;

    internal CachedRefs(MetadataWriter writer, MetadataReaders readers) => (_writer, _readers) = (writer, readers);

    /// <summary>Takes a tag out, and its manifest too unless another tag, or an index, leads to it.</summary>
    /// <param name="repository">Where.</param>
    /// <param name="tag">The tag.</param>
    /// <param name="blobs">Where the repository's manifests are read.</param>
    /// <returns>Null where there was no such tag.</returns>
    public async Task<RemovedRefs?> RemoveTagAsync(RepositoryKey repository, Tag tag, BlobStore blobs)
    {
        if (_readers.Read(session => FindId(session, repository) is { } id ? FindTag(session, id, tag) : null) is not { } digest)
        {
            return null;
        }

        RemovedRefs? removed = null;
        var tree = Look(repository, digest, blobs);
        await _writer.WriteAsync(write =>
        {
            if (write.FindId(repository) is { } id && FindTag(write.Session, id, tag) is { } found)
            {
                write.Session.Execute("DELETE FROM tags WHERE repository = $1 AND name = $2", id, tag.ToString());
                write.NoteUntagged(repository, tag);
                // One that has moved meanwhile points to what somebody is pulling right now.
                removed = new RemovedRefs(found, [tag], found == digest ? Unlink(write, repository, id, tree, withRoot: false) : 0);
            }
        });
        return removed;
    }

    /// <summary>Takes a manifest out, with the tags that point to it.</summary>
    /// <param name="repository">Where.</param>
    /// <param name="digest">The manifest's.</param>
    /// <param name="blobs">Where the repository's manifests are read.</param>
    /// <returns>Null where there was no such manifest.</returns>
    public async Task<RemovedRefs?> RemoveManifestAsync(RepositoryKey repository, Digest digest, BlobStore blobs)
    {
        RemovedRefs? removed = null;
        var tree = Look(repository, digest, blobs);
        await _writer.WriteAsync(write =>
        {
            if (write.FindId(repository) is { } id && write.HasManifest(id, digest))
            {
                var tags = write.RemoveTagsOf(repository, id, digest);
                removed = new RemovedRefs(digest, tags, Unlink(write, repository, id, tree, withRoot: true));
            }
        });
        return removed;
    }

    /// <summary>Reading many manifests takes its time, which is not the writer's.</summary>
    private ManifestTree Look(RepositoryKey repository, Digest root, BlobStore blobs) =>
        new(blobs, root, _readers.Read(session => FindId(session, repository) is { } id ? ListManifests(session, id) : []));

    /// <returns>How many manifests the repository no longer refers to.</returns>
    private static int Unlink(IndexWrite write, RepositoryKey repository, long id, ManifestTree tree, bool withRoot)
    {
        // What has come since they were looked at.
        tree.Look(ListManifests(write.Session, id));
        var tagged = write.Session.List(
            "SELECT DISTINCT digest FROM tags WHERE repository = $1 AND digest IN (SELECT value FROM json_each($2))",
            row => Digest.Parse(row.GetString(0)),
            id, JsonSerializer.Serialize([.. tree.Manifests.Select(digest => digest.ToString())], DigestsJson.Default.StringArray));
        return tree.FindUnneeded(tagged, withRoot).Count(digest => write.Unlink(repository, id, digest) && tree.IsManifest(digest));
    }

    private static long? FindId(SqlSession session, RepositoryKey repository) => session.FindOne<long?>(
        "SELECT id FROM repositories WHERE registry = $1 AND name = $2", row => row.GetInt64(0), repository.Registry, repository.Name.ToString());

    private static Digest? FindTag(SqlSession session, long id, Tag tag) => session.FindOne<Digest?>(
        "SELECT digest FROM tags WHERE repository = $1 AND name = $2", row => Digest.Parse(row.GetString(0)), id, tag.ToString());

    /// <summary>A repository's manifests that are here.</summary>
    private static List<StoredManifest> ListManifests(SqlSession session, long id) =>
    [
        .. session.List(
            $"""
            SELECT l.digest, l.media_type, b.size, b.checksums FROM links l JOIN blobs b ON b.digest = l.digest
            WHERE l.repository = $1 AND l.media_type IN ({Metadata.ManifestTypes})
            """,
            row => Metadata.ReadBlob(row, Digest.Parse(row.GetString(0)), 2) is { } blob ? new StoredManifest(row.GetString(1), blob) : null,
            id).OfType<StoredManifest>(),
    ];
}
