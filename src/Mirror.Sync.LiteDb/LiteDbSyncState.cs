using System.Globalization;
using LiteDB;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.State;

namespace Mirror.Sync.LiteDb;

/// <summary>
/// The state in a LiteDB database. Each write is a transaction of its own. Keys are what a row is about, joined by a character that sorts
/// before all that names consist of, so that a repository's tags stand together in their order.
/// </summary>
public sealed class LiteDbSyncState : ISyncState
{
    /// <summary>Sorts behind all that names consist of.</summary>
    private const char Last = '\u007f';

    private readonly LiteDbStateFile _file;
    private readonly TimeProvider _time;
    private long _lastRun;
    private long _lastPlace;

    private LiteDbSyncState(LiteDbStateFile file, TimeProvider time)
    {
        _file = file;
        _time = time;
        _lastRun = _file.Read(database => Runs(database).FindOne(Query.All(Query.Descending))?["_id"].AsInt64 ?? 0, none: 0);
        _lastPlace = _file.Read(database => ByNumber(database, Query.Descending).FirstOrDefault()?["number"].AsInt64 ?? 0, none: 0);
        _file.Write(StopInterrupted);
    }

    /// <summary>Opens the state, which always works: where the file is of no use, with less memory than there was.</summary>
    /// <param name="path">The database. Nobody else may have it open.</param>
    /// <param name="time">The clock.</param>
    /// <param name="warn">Is told what people should know.</param>
    public static LiteDbSyncState Open(string path, TimeProvider time, Action<string> warn) =>
        new(LiteDbStateFile.Open(path, time, warn), time);

    public TagState? FindTag(string job, RepositoryName repository, Tag tag) => _file.ReadTags(
        database => IfReadable(Tags(database).FindById(Key(job, repository, tag)), ReadTag), none: null);

    public IReadOnlyList<TagState> ListTags(string job, RepositoryName repository) => _file.ReadTags(
        database => InRange(Tags(database), "_id", Key(job, repository, ""), Key(job, repository, Last)).ToEnumerable()
            .Select(row => IfReadable(row, ReadTag)).OfType<TagState>().ToList(),
        none: []);

    public IReadOnlyList<RepositoryName> ListRepositories(string job) => _file.ReadTags(
        database =>
        {
            // From each repository to the next, past its tags.
            var found = new List<RepositoryName>();
            var from = Key(job, "");
            while (InRange(Tags(database), "_id", from, Key(job, Last)).Limit(1).ToEnumerable().FirstOrDefault() is { } row)
            {
                var repository = row["_id"].AsString.Split('\n')[1];
                if (RepositoryName.TryParse(repository, out var name))
                {
                    found.Add(name);
                }

                from = Key(job, repository, Last);
            }

            return found;
        },
        none: []);

    public void Save(TagState tag) => _file.Write(database => Tags(database).Upsert(new BsonDocument
    {
        ["_id"] = Key(tag.Job, tag.Repository, tag.Tag),
        ["seen"] = tag.Seen?.ToString(),
        ["seenAt"] = Ticks(tag.SeenAt),
        ["etag"] = tag.ETag is { } etag && StateText.IsExact(etag) ? etag : null,
        ["put"] = tag.Put?.ToString(),
        ["putAt"] = Ticks(tag.PutAt),
        ["terms"] = tag.Terms,
        ["referrersAt"] = Ticks(tag.ReferrersAt),
        ["failures"] = tag.Failures,
        ["why"] = StateText.Clean(tag.Why, StateText.TagWhy),
    }));

    public void RemoveTag(string job, RepositoryName repository, Tag tag) =>
        _file.Write(database => Tags(database).Delete(Key(job, repository, tag)));

    public SyncRun Begin(SyncRun run)
    {
        var begun = run with { Id = Interlocked.Increment(ref _lastRun) };
        _file.Write(database =>
        {
            var runs = Runs(database);
            runs.Upsert(Write(begun));
            var old = RunsOf(runs, run.Job).Select("{ _id }").Offset(RunHistory.MostPerJob).ToEnumerable().ToList();
            var oldest = (_time.GetUtcNow() - RunHistory.Kept).UtcTicks;
            old.AddRange(runs.Find(Query.LT("startedAt", oldest)).ToList()
                .Where(row => RunsOf(runs, row["job"].AsString).Limit(1).ToEnumerable().First()["_id"] != row["_id"]));
            old.ForEach(row => runs.Delete(row["_id"]));
            var places = Places(database);
            ByNumber(database, Query.Ascending).Limit(Math.Max(places.Count() - PlaceHistory.Most, 0)).ToList()
                .ForEach(row => places.Delete(row["_id"]));
        });
        return begun;
    }

    public void Save(SyncRun run) => _file.Write(database => Runs(database).Upsert(Write(run)));

    public IReadOnlyList<SyncRun> ListRuns(string? job, int count) => _file.Read(
        database =>
        {
            var runs = Runs(database);
            var rows = count <= 0 ? []
                : job is null ? runs.Find(Query.All(Query.Descending), 0, count)
                : RunsOf(runs, job).Limit(count).ToEnumerable();
            return rows.Select(row => IfReadable(row, ReadRun)).OfType<SyncRun>().ToList();
        },
        none: []);

    public DateTimeOffset? FindVerified(string job) => _file.ReadTags(
        database => IfReadable<object>(Verified(database).FindById(job), row => GetTime(row["at"])) as DateTimeOffset?, none: null);

    public void SaveVerified(string job, DateTimeOffset at) =>
        _file.Write(database => Verified(database).Upsert(new BsonDocument { ["_id"] = job, ["at"] = at.UtcTicks }));

    public UploadState? FindUpload(string registry, Digest digest) => _file.Read(
        database => IfReadable(Uploads(database).FindById(Key(registry, digest)), row => new UploadState(
            registry,
            RepositoryName.Parse(row["repository"].AsString),
            digest,
            new RemoteUpload(
                row["location"].AsString, row["offset"].AsInt64, row["chunkMinLength"].IsNull ? null : row["chunkMinLength"].AsInt64),
            GetTime(row["savedAt"]))),
        none: null);

    public void Save(UploadState upload)
    {
        if (!StateText.IsExact(upload.Upload.Location))
        {
            RemoveUpload(upload.Registry, upload.Digest);
            return;
        }

        _file.Write(database => Uploads(database).Upsert(new BsonDocument
        {
            ["_id"] = Key(upload.Registry, upload.Digest),
            ["repository"] = $"{upload.Repository}",
            ["location"] = upload.Upload.Location,
            ["offset"] = upload.Upload.Offset,
            ["chunkMinLength"] = upload.Upload.ChunkMinLength is { } min ? min : BsonValue.Null,
            ["savedAt"] = upload.SavedAt.UtcTicks,
        }));
    }

    public void RemoveUpload(string registry, Digest digest) =>
        _file.Write(database => Uploads(database).Delete(Key(registry, digest)));

    public RepositoryName? FindPlace(string registry, Digest digest) => _file.Read(
        database => Places(database).FindById(Key(registry, digest))?["repository"].AsString, none: null) is { } text
        && RepositoryName.TryParse(text, out var name) ? name : null;

    public void SavePlace(string registry, Digest digest, RepositoryName repository) => _file.Write(
        database => Places(database).Upsert(new BsonDocument
        {
            ["_id"] = Key(registry, digest),
            ["number"] = Interlocked.Increment(ref _lastPlace),
            ["repository"] = $"{repository}",
        }));

    public void RemovePlace(string registry, Digest digest, RepositoryName repository) => _file.Write(database =>
    {
        if (Places(database).FindById(Key(registry, digest))?["repository"] == $"{repository}")
        {
            Places(database).Delete(Key(registry, digest));
        }
    });

    public void Dispose() => _file.Dispose();

    private static ILiteCollection<BsonDocument> Tags(LiteDatabase database) => database.GetCollection(LiteDbStateFile.Tags);

    private static ILiteCollection<BsonDocument> Runs(LiteDatabase database) => database.GetCollection(LiteDbStateFile.Runs);

    private static ILiteCollection<BsonDocument> Verified(LiteDatabase database) => database.GetCollection(LiteDbStateFile.Verified);

    private static ILiteCollection<BsonDocument> Uploads(LiteDatabase database) => database.GetCollection("uploads");

    private static ILiteCollection<BsonDocument> Places(LiteDatabase database) => database.GetCollection(LiteDbStateFile.Places);

    private static ILiteQueryable<BsonDocument> ByNumber(LiteDatabase database, int order) =>
        InRange(Places(database), "number", 0, long.MaxValue, order);

    private static string Key(params ReadOnlySpan<object> parts) => string.Join('\n', parts);

    /// <summary>In the order of the key, which has an index.</summary>
    private static ILiteQueryable<BsonDocument> InRange(
        ILiteCollection<BsonDocument> rows, string key, BsonValue from, BsonValue to, int order = Query.Ascending) =>
        rows.Query().Where(Query.Between(key, from, to)).OrderBy(key, order);

    /// <summary>The newest first.</summary>
    private static ILiteQueryable<BsonDocument> RunsOf(ILiteCollection<BsonDocument> runs, string job) =>
        InRange(runs, "key", Key(job, ""), Key(job, Last), Query.Descending);

    private void StopInterrupted(LiteDatabase database)
    {
        var runs = Runs(database);
        foreach (var row in runs.Find(Query.EQ("outcome", nameof(RunOutcome.Running))).ToList())
        {
            row["outcome"] = nameof(RunOutcome.Stopped);
            row["endedAt"] = _time.GetUtcNow().UtcTicks;
            row["why"] = row["why"].IsNull ? RunHistory.Interrupted : $"{RunHistory.Interrupted}\n{row["why"].AsString}";
            runs.Update(row);
        }
    }

    private static BsonDocument Write(SyncRun run) => new()
    {
        ["_id"] = run.Id,
        ["key"] = Key(run.Job, run.Id.ToString("D19", CultureInfo.InvariantCulture)),
        ["job"] = run.Job,
        ["cause"] = run.Cause,
        ["startedAt"] = run.StartedAt.UtcTicks,
        ["endedAt"] = Ticks(run.EndedAt),
        ["outcome"] = run.Outcome.ToString(),
        ["copied"] = run.Figures.Copied,
        ["upToDate"] = run.Figures.UpToDate,
        ["deleted"] = run.Figures.Deleted,
        ["failed"] = run.Figures.Failed,
        ["blobs"] = run.Figures.Blobs,
        ["bytes"] = run.Figures.Bytes,
        ["mounted"] = run.Figures.Mounted,
        ["sourceRequests"] = run.Figures.SourceRequests,
        ["targetRequests"] = run.Figures.TargetRequests,
        ["why"] = StateText.Clean(run.Why, StateText.RunWhy),
    };

    private static TagState ReadTag(BsonDocument row)
    {
        var key = row["_id"].AsString.Split('\n');
        return new TagState(
            key[0],
            RepositoryName.Parse(key[1]),
            Tag.Parse(key[2]),
            FindDigest(row["seen"]),
            FindTime(row["seenAt"]),
            row["etag"].AsString,
            FindDigest(row["put"]),
            FindTime(row["putAt"]),
            row["terms"].AsString,
            FindTime(row["referrersAt"]),
            row["failures"].AsInt32,
            row["why"].AsString);
    }

    private static SyncRun ReadRun(BsonDocument row) => new(
        row["_id"].AsInt64,
        row["job"].AsString,
        row["cause"].AsString,
        GetTime(row["startedAt"]),
        FindTime(row["endedAt"]),
        Enum.Parse<RunOutcome>(row["outcome"].AsString),
        new RunFigures(
            row["copied"].AsInt32,
            row["upToDate"].AsInt32,
            row["deleted"].AsInt32,
            row["failed"].AsInt32,
            row["blobs"].AsInt32,
            row["bytes"].AsInt64,
            row["mounted"].AsInt32,
            row["sourceRequests"].AsInt32,
            row["targetRequests"].AsInt32),
        row["why"].AsString);

    private static BsonValue Ticks(DateTimeOffset? time) => time is { } known ? known.UtcTicks : BsonValue.Null;

    private static DateTimeOffset GetTime(BsonValue ticks) => new(ticks.AsInt64, TimeSpan.Zero);

    private static DateTimeOffset? FindTime(BsonValue ticks) => ticks.IsNull ? null : GetTime(ticks);

    private static Digest? FindDigest(BsonValue text) => text.IsNull ? null : Digest.Parse(text.AsString);

    /// <summary>Somebody may have written into the database, or the disk: a row that makes no sense counts as not there.</summary>
    private static T? IfReadable<T>(BsonDocument? row, Func<BsonDocument, T> read)
        where T : class
    {
        try
        {
            return row is null ? null : read(row);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or OverflowException
            or InvalidCastException or IndexOutOfRangeException)
        {
            return null;
        }
    }
}
