namespace Mirror.Storage;

/// <summary>
/// The end of the journal that the database knows nothing of: a crash, or a disk that refused, came between the two. Nobody was told that any of it
/// is so. Nothing is cut off, for the database may also be an old copy; the journal is made to say once more what the database says.
/// </summary>
internal static class JournalTail
{
    /// <summary>Brings the journal to what the database says.</summary>
    /// <param name="session">The database.</param>
    /// <param name="journal">The journal.</param>
    /// <param name="path">Its file.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Settle(SqlSession session, RefJournal journal, string path, TimeProvider time)
    {
        var known = session.FindOne<long?>("SELECT length FROM journal", row => row.IsDBNull(0) ? null : row.GetInt64(0)) ?? journal.Length;
        if (known < journal.Length)
        {
            var now = time.GetUtcNow();
            var changes = JournalReader.Read(path, known)
                .Select(line => line.Change)
                .OfType<RefChange>()
                .Select(change => FindState(session, change) is { } state ? state with { At = now } : null)
                .OfType<RefChange>()
                .Distinct()
                .ToList();
            if (changes.Count > 0)
            {
                journal.Append(changes);
            }
        }

        session.Execute("UPDATE journal SET length = $1", journal.Length);
    }

    /// <summary>What the database says of what a change is about; null where it is about nothing that is known.</summary>
    private static RefChange? FindState(SqlSession session, RefChange change)
    {
        var (registry, repository) = (change.Registry, change.Repository);
        switch (change.Op)
        {
            case "tag" or "untag":
                var digest = session.FindOne(
                    "SELECT t.digest FROM tags t JOIN repositories r ON r.id = t.repository WHERE r.registry = $1 AND r.name = $2 AND t.name = $3",
                    row => row.GetString(0), registry, repository, change.Tag);
                return change with { Op = digest is null ? "untag" : "tag", Digest = digest };

            case "link" or "unlink":
                var link = session.FindOne<(string MediaType, long Size)?>(
                    """
                    SELECT l.media_type, l.size FROM links l JOIN repositories r ON r.id = l.repository
                    WHERE r.registry = $1 AND r.name = $2 AND l.digest = $3
                    """,
                    row => (row.GetString(0), row.GetInt64(1)), registry, repository, change.Digest);
                return change with { Op = link is null ? "unlink" : "link", MediaType = link?.MediaType, Size = link?.Size };

            case "hold" or "unhold":
                var holds = session.FindOne(
                    "SELECT EXISTS (SELECT 1 FROM holdings WHERE holder = $1 AND digest = $2)",
                    row => row.GetBoolean(0), repository is null ? registry : $"{registry}/{repository}", change.Digest);
                return change with { Op = holds ? "hold" : "unhold" };

            default:
                return null;
        }
    }
}
