using Microsoft.Data.Sqlite;

namespace Mirror.Storage;

/// <summary>
/// Where journal and database disagree. What the journal has behind the end that the database knows was never acknowledged: a crash, or a disk that
/// refused, came between the two. Nothing is cut off, for the database may also be an old copy; the journal is made to say once more what the
/// database says. A journal that is shorter than the database knows was lost, or a part of it: it is made to say everything again.
/// </summary>
internal static class JournalTail
{
    private const int Batch = 1000;

    /// <summary>Brings the journal to what the database says. Where neither can be written, every later write says so, and the next start tries again.</summary>
    /// <param name="session">The database.</param>
    /// <param name="journal">The journal.</param>
    /// <param name="path">Its file.</param>
    /// <param name="time">The clock.</param>
    public static void Settle(SqlSession session, RefJournal journal, string path, TimeProvider time)
    {
        var known = session.FindOne<long?>("SELECT length FROM journal", row => row.IsDBNull(0) ? null : row.GetInt64(0));
        if (known == journal.Length)
        {
            return;
        }

        try
        {
            if (known < journal.Length)
            {
                TakeBack(session, journal, path, known.Value, time.GetUtcNow());
            }
            else if (known > journal.Length)
            {
                SayAll(session, journal, time.GetUtcNow());
            }

            session.Execute("UPDATE journal SET length = $1", journal.Length);
        }
        catch (Exception e) when (e is SqliteException or IOException)
        {
            // What is here can still be served, and a mirror is not to stay away because its disk is full or read-only.
        }
    }

    private static void TakeBack(SqlSession session, RefJournal journal, string path, long known, DateTimeOffset now)
    {
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

    private static void SayAll(SqlSession session, RefJournal journal, DateTimeOffset now)
    {
        var changes = new List<RefChange>();
        Say(
            "SELECT r.registry, r.name, l.digest, l.media_type, l.size FROM links l JOIN repositories r ON r.id = l.repository",
            row => new RefChange(now, "link", row.GetString(0), row.GetString(1), null, row.GetString(2), row.GetString(3), row.GetInt64(4)));
        Say("SELECT holder, digest FROM holdings", row => HoldOf(now, row.GetString(0), row.GetString(1)));
        Say(
            "SELECT r.registry, r.name, t.name, t.digest FROM tags t JOIN repositories r ON r.id = t.repository",
            row => new RefChange(now, "tag", row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), null, null));
        Flush();

        void Say(string sql, Func<SqliteDataReader, RefChange> changeOf) => session.Visit(sql, row =>
        {
            changes.Add(changeOf(row));
            if (changes.Count == Batch)
            {
                Flush();
            }

            return true;
        });

        void Flush()
        {
            if (changes.Count > 0)
            {
                journal.Append(changes);
                changes.Clear();
            }
        }
    }

    /// <summary>A holder is a registry, or one repository of it; our own registry has no name.</summary>
    private static RefChange HoldOf(DateTimeOffset now, string holder, string digest)
    {
        var slash = holder.IndexOf('/', StringComparison.Ordinal);
        return slash < 0
            ? new RefChange(now, "hold", holder, null, null, digest, null, null)
            : new RefChange(now, "hold", holder[..slash], holder[(slash + 1)..], null, digest, null, null);
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
