using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>Takes everything out of a repository, some at a time: no other write waits for a large one.</summary>
internal static class RepositoryRemoval
{
    private const int AtOnce = 200;

    /// <returns>Null where there was nothing.</returns>
    public static async Task<RemovedRefs?> RemoveAllAsync(MetadataWriter writer, RepositoryKey repository)
    {
        var (tags, links, manifests) = (new List<Tag>(), 0, 0);
        await RepeatAsync((write, id) =>
        {
            var some = write.Session.List(
                """
                DELETE FROM tags WHERE repository = $1 AND name IN (SELECT name FROM tags WHERE repository = $1 LIMIT $2) RETURNING name
                """,
                row => Tag.Parse(row.GetString(0)),
                id, AtOnce);
            some.ForEach(tag => write.NoteUntagged(repository, tag));
            tags.AddRange(some);
            return some.Count;
        });
        await RepeatAsync((write, id) =>
        {
            var some = write.Session.List(
                "SELECT digest, media_type FROM links WHERE repository = $1 LIMIT $2",
                row => (Digest: Digest.Parse(row.GetString(0)), IsManifest: MediaTypes.IsManifest(row.GetString(1))),
                id, AtOnce);
            foreach (var (digest, isManifest) in some)
            {
                write.RemoveReferrer(id, digest);
                write.Unlink(repository, id, digest);
                manifests += isManifest ? 1 : 0;
            }

            links += some.Count;
            return some.Count;
        });
        return tags.Count + links > 0 ? new RemovedRefs(Digest: null, tags, manifests) : null;

        async Task RepeatAsync(Func<IndexWrite, long, int> removeSome)
        {
            for (var last = AtOnce; last == AtOnce;)
            {
                await writer.WriteAsync(write => last = write.FindId(repository) is { } id ? removeSome(write, id) : 0);
            }
        }
    }
}
