using System.Collections.Concurrent;
using System.Globalization;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Sync.Tests.State;

/// <summary>What a replicator may rely on, whatever the state is kept in.</summary>
public abstract class SyncStateContract : IDisposable
{
    private const string Job = "base-images";
    private const int KeptRuns = 1000;

    private static readonly RepositoryName Alpine = RepositoryName.Parse("library/alpine");
    private static readonly RepositoryName Debian = RepositoryName.Parse("library/debian");
    private static readonly Digest Sha512 = Digest.Of(DigestAlgorithm.Sha512, "layer"u8);

    private readonly TemporaryDirectory _directory = new();

    protected ManualTime Time { get; } = new();

    /// <summary>What was warned of, by all states of this test.</summary>
    protected ConcurrentQueue<string> Warnings { get; } = [];

    /// <summary>The state's own file.</summary>
    protected string FilePath => _directory.Combine(FileName);

    protected abstract string FileName { get; }

    /// <summary>What the state has beside its file while it is open, without which the file is not whole.</summary>
    protected abstract string LogName { get; }

    protected ISyncState Open() => Open(FilePath);

    protected abstract ISyncState Open(string path);

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void What_is_known_of_a_tag_comes_back_exactly_also_when_the_state_is_opened_again()
    {
        var full = new TagState(
            Job, Alpine, Tag.Parse("3.20"), DigestOf("seen"), Now(1), "W/\"e;tag\"", Sha512, Now(2), "a > b\nlibrary/alpine\nall", Now(3), 7, "500 Internal Server Error");
        var empty = new TagState(Job, Alpine, Tag.Parse("edge"), null, null, null, null, null, null, null, 0, null);
        using (var state = Open())
        {
            state.Save(full);
            state.Save(empty);

            Assert.Equal(full, state.FindTag(Job, Alpine, full.Tag));
            Assert.Equal([full, empty], state.ListTags(Job, Alpine));
        }

        using var again = Open();
        Assert.Equal(full, again.FindTag(Job, Alpine, full.Tag));
        Assert.Equal(empty, again.FindTag(Job, Alpine, empty.Tag));
        Assert.Equal([full, empty], again.ListTags(Job, Alpine));
        Assert.Empty(Warnings);
    }

    [Fact]
    public void What_is_saved_later_takes_the_place_of_what_was_and_what_is_removed_is_gone()
    {
        using var state = Open();
        var first = Known("3.20") with { Failures = 1, Why = "timeout", ETag = "\"1\"" };
        var second = Known("3.20") with { Put = DigestOf("other") };

        state.Save(first);
        state.Save(second);
        Assert.Equal([second], state.ListTags(Job, Alpine));

        state.RemoveTag(Job, Alpine, second.Tag);
        state.RemoveTag(Job, Alpine, second.Tag);
        Assert.Null(state.FindTag(Job, Alpine, second.Tag));
        Assert.Empty(state.ListTags(Job, Alpine));
        Assert.Empty(state.ListRepositories(Job));
    }

    [Fact]
    public void Jobs_repositories_and_tags_are_told_apart_by_each_character()
    {
        using var state = Open();
        var all = (
            from job in new[] { "a", "A", "a-b", "aa" }
            from repository in new[] { "x", "x/y", "x-y", "x0" }
            from tag in new[] { "v1", "V1", "v1.0", "v", "_v", "0" }
            select Known(tag) with { Job = job, Repository = RepositoryName.Parse(repository), Why = $"{job} {repository} {tag}" }).ToList();

        all.ForEach(state.Save);

        Assert.All(all, tag => Assert.Equal(tag, state.FindTag(tag.Job, tag.Repository, tag.Tag)));
        foreach (var job in all.GroupBy(tag => tag.Job))
        {
            Assert.Equal(["x", "x-y", "x/y", "x0"], state.ListRepositories(job.Key).Select(name => $"{name}"));
            foreach (var repository in job.GroupBy(tag => tag.Repository))
            {
                Assert.Equal(repository.OrderBy(tag => $"{tag.Tag}", StringComparer.Ordinal), state.ListTags(job.Key, repository.Key));
            }
        }

        state.RemoveTag("a", RepositoryName.Parse("x"), Tag.Parse("v1"));
        Assert.NotNull(state.FindTag("A", RepositoryName.Parse("x"), Tag.Parse("v1")));
        Assert.NotNull(state.FindTag("a", RepositoryName.Parse("x"), Tag.Parse("V1")));
    }

    [Fact]
    public void The_longest_names_are_kept()
    {
        using var state = Open();
        var tag = Known(new string('t', Tag.MaxLength)) with
        {
            Job = new string('j', 100),
            Repository = RepositoryName.Parse(new string('r', RepositoryName.MaxLength)),
            Put = Sha512,
        };
        var upload = new UploadState(new string('h', 255), tag.Repository, Sha512, new RemoteUpload("https://h/" + new string('s', 8000), 1, null), Now(1));

        state.Save(tag);
        state.Save(upload);

        Assert.Equal([tag], state.ListTags(tag.Job, tag.Repository));
        Assert.Equal([tag.Repository], state.ListRepositories(tag.Job));
        Assert.Equal(upload, state.FindUpload(upload.Registry, upload.Digest));
    }

    [Fact]
    public void Runs_have_numbers_that_grow_and_are_listed_newest_first()
    {
        SyncRun first, second, ended;
        using (var state = Open())
        {
            first = state.Begin(NewRun("a"));
            second = state.Begin(NewRun("b"));
            ended = first with
            {
                EndedAt = Now(60),
                Outcome = RunOutcome.Partly,
                Figures = new RunFigures(1, 2, 3, 4, 5, long.MaxValue, 7, 8, 9),
                Why = "library/alpine:edge: the registry does not answer",
            };
            state.Save(ended);
            state.Save(second with { EndedAt = Now(70), Outcome = RunOutcome.Done });

            Assert.Equal([second.Id, first.Id], state.ListRuns(null, 10).Select(run => run.Id));
            Assert.Equal([second.Id], state.ListRuns(null, 1).Select(run => run.Id));
            Assert.Equal([ended], state.ListRuns("a", 10));
            Assert.Empty(state.ListRuns("c", 10));
            Assert.Empty(state.ListRuns(null, 0));
        }

        using var again = Open();
        Assert.Equal([ended], again.ListRuns("a", 10));
        var third = again.Begin(NewRun("a"));
        Assert.True(0 < first.Id && first.Id < second.Id && second.Id < third.Id);
    }

    [Fact]
    public void A_run_that_nobody_has_ended_is_stopped_with_a_reason_when_the_state_is_opened_again()
    {
        SyncRun running, done;
        using (var state = Open())
        {
            done = state.Begin(NewRun("a")) with { EndedAt = Now(1), Outcome = RunOutcome.Done };
            state.Save(done);
            running = state.Begin(NewRun("a"));
            state.Save(running with { Figures = RunFigures.None with { Copied = 3 } });
            Assert.Equal(RunOutcome.Running, state.ListRuns("a", 1)[0].Outcome);
        }

        Time.Advance(TimeSpan.FromMinutes(5));
        using var again = Open();

        var runs = again.ListRuns("a", 10);
        Assert.Equal((running.Id, RunOutcome.Stopped, 3), (runs[0].Id, runs[0].Outcome, runs[0].Figures.Copied));
        Assert.Equal(Time.GetUtcNow(), runs[0].EndedAt);
        Assert.Contains("the program ended before the run did", runs[0].Why, StringComparison.Ordinal);
        Assert.Equal(done, runs[1]);
    }

    [Fact]
    public void The_last_thousand_runs_of_a_job_are_kept_and_no_others_runs_go_for_them()
    {
        using var state = Open();
        var rare = state.Begin(NewRun("rare"));
        var often = Enumerable.Range(0, KeptRuns + 5).Select(_ => state.Begin(NewRun("often")).Id).ToList();

        Assert.Equal(often.AsEnumerable().Reverse().Take(KeptRuns), state.ListRuns("often", 2 * KeptRuns).Select(run => run.Id));
        Assert.Equal([rare], state.ListRuns("rare", 10));
    }

    [Fact]
    public void Runs_older_than_ninety_days_go_but_for_a_jobs_last()
    {
        using var state = Open();
        state.Begin(NewRun("a"));
        var last = state.Begin(NewRun("a"));
        Time.Advance(TimeSpan.FromDays(89));
        var recent = state.Begin(NewRun("b"));
        Time.Advance(TimeSpan.FromDays(2));
        var now = state.Begin(NewRun("b"));

        Assert.Equal([now, recent, last], state.ListRuns(null, 10));
    }

    [Fact]
    public void When_a_job_was_last_verified_is_remembered_for_each_job()
    {
        using (var state = Open())
        {
            Assert.Null(state.FindVerified("a"));
            state.SaveVerified("a", Now(1));
            state.SaveVerified("b", Now(2));
            state.SaveVerified("a", Now(3));
        }

        using var again = Open();
        Assert.Equal((Now(3), Now(2), null), (again.FindVerified("a"), again.FindVerified("b"), again.FindVerified("A")));
    }

    [Fact]
    public void An_upload_goes_on_where_it_stood_until_it_is_removed()
    {
        var upload = new UploadState(
            "site-b.example",
            Alpine,
            DigestOf("layer"),
            new RemoteUpload("https://site-b.example/v2/x/blobs/uploads/1?_state=a%2Fb%3D~", 1L << 40, 5 << 20),
            Now(1));
        var other = upload with { Registry = "site-c.example", Upload = upload.Upload with { ChunkMinLength = null } };
        using (var state = Open())
        {
            state.Save(upload with { Repository = Debian, Upload = upload.Upload with { Offset = 0 } });
            state.Save(upload);
            state.Save(other);
        }

        using var again = Open();
        Assert.Equal(upload, again.FindUpload(upload.Registry, upload.Digest));
        again.RemoveUpload(upload.Registry, upload.Digest);
        Assert.Null(again.FindUpload(upload.Registry, upload.Digest));
        Assert.Equal(other, again.FindUpload(other.Registry, upload.Digest));
        Assert.Null(again.FindUpload("elsewhere.example", upload.Digest));
        Assert.Null(again.FindUpload(other.Registry, Sha512));
    }

    [Fact]
    public void Where_a_blob_last_was_is_remembered_for_each_target_until_that_is_found_wrong()
    {
        var layer = DigestOf("layer");
        using (var state = Open())
        {
            Assert.Null(state.FindPlace("a", layer));
            state.SavePlace("a", layer, Alpine);
            state.SavePlace("a", layer, Debian);
            state.SavePlace("b", layer, Alpine);
            state.SavePlace("a", Sha512, Alpine);
            state.RemovePlace("a", layer, Alpine);
        }

        using (var state = Open())
        {
            Assert.Equal((Debian, Alpine, Alpine), (state.FindPlace("a", layer), state.FindPlace("b", layer), state.FindPlace("a", Sha512)));
            state.RemovePlace("a", layer, Debian);
            state.SavePlace("a", Sha512, Debian);
        }

        using var again = Open();
        Assert.Equal((null, Alpine, Debian), (again.FindPlace("a", layer), again.FindPlace("b", layer), again.FindPlace("a", Sha512)));
    }

    [Fact]
    public void The_places_of_fifty_thousand_blobs_are_kept_those_that_were_saved_last()
    {
        const int Kept = 50_000;
        using var state = Open();
        for (var i = 0; i < Kept + 10; i++)
        {
            state.SavePlace("a", DigestOf($"{i}"), Alpine);
        }

        state.SavePlace("b", DigestOf("0"), Alpine);
        state.SavePlace("a", DigestOf("5"), Debian);
        state.Begin(NewRun(Job));

        var gone = Enumerable.Range(0, 30).Where(i => state.FindPlace("a", DigestOf($"{i}")) is null);
        Assert.Equal(Enumerable.Range(0, 12).Where(i => i != 5), gone);
        Assert.Equal((Debian, Alpine), (state.FindPlace("a", DigestOf("5")), state.FindPlace("b", DigestOf("0"))));
    }

    [Theory]
    [InlineData("'; DROP TABLE tags; --")]
    [InlineData("{ \"$oid\": \"x\" } @0 $.Why")]
    [InlineData("  spaces stay \r\n\t and \u001b[31mescapes and \u202e too ")]
    [InlineData("")]
    [InlineData("grün 漢字 🎉")]
    public void Any_text_is_kept_as_it_is(string why)
    {
        using var state = Open();
        var tag = Known("1") with { Why = why, ETag = why };
        var run = state.Begin(NewRun(Job)) with { Why = why };

        state.Save(tag);
        state.Save(run);

        Assert.Equal(tag, state.FindTag(Job, Alpine, tag.Tag));
        Assert.Equal([run], state.ListRuns(Job, 1));
    }

    [Fact]
    public void Text_for_people_that_can_not_be_stored_is_kept_without_what_can_not()
    {
        using var state = Open();
        state.Save(Known("1") with { Why = "a\0b\ud800c\udc00" });
        state.Save(Known("2") with { Why = new string('x', 100_000) });
        var run = state.Begin(NewRun(Job)) with { Why = new string('y', 3_000_000) };
        state.Save(run);

        Assert.Equal("a\uFFFDb\uFFFDc\uFFFD", state.FindTag(Job, Alpine, Tag.Parse("1"))!.Why);
        Assert.Equal(new string('x', 4095) + '…', state.FindTag(Job, Alpine, Tag.Parse("2"))!.Why);
        Assert.Equal(new string('y', (1 << 20) - 1) + '…', state.ListRuns(Job, 1)[0].Why);
    }

    [Fact]
    public void What_is_given_back_to_a_registry_is_kept_exactly_or_not_at_all()
    {
        using var state = Open();
        var upload = new UploadState("site-b.example", Alpine, Sha512, new RemoteUpload("https://site-b.example/1", 1, null), Now(1));
        state.Save(Known("1") with { ETag = "\"a\0b\"" });
        state.Save(upload);
        state.Save(upload with { Upload = upload.Upload with { Location = "https://site-b.example/" + new string('s', 1 << 20) } });

        Assert.Null(state.FindTag(Job, Alpine, Tag.Parse("1"))!.ETag);
        Assert.Null(state.FindUpload(upload.Registry, Sha512));
    }

    [Fact]
    public async Task Many_threads_save_and_ask_at_once()
    {
        const int Threads = 8;
        const int Each = 200;
        using var state = Open();
        var ids = new ConcurrentBag<long>();
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(() =>
        {
            var repository = RepositoryName.Parse($"team/{thread}");
            for (var i = 0; i < Each; i++)
            {
                var tag = Known($"{i}") with { Repository = repository };
                state.Save(tag);
                Assert.Equal(tag, state.FindTag(Job, repository, tag.Tag));
                var upload = new UploadState("site-b.example", repository, DigestOf($"{i}"), new RemoteUpload("https://site-b.example/1", i, null), Now(i));
                state.Save(upload);
                if (i % 10 == 0)
                {
                    ids.Add(state.Begin(NewRun($"job-{thread}")).Id);
                    Assert.Equal(i + 1, state.ListTags(Job, repository).Count);
                    state.RemoveUpload(upload.Registry, upload.Digest);
                }

                Assert.NotEmpty(state.ListRepositories(Job));
            }
        })));

        Assert.Equal(Threads, state.ListRepositories(Job).Count);
        Assert.All(state.ListRepositories(Job), repository => Assert.Equal(Each, state.ListTags(Job, repository).Count));
        Assert.Equal(Threads * Each / 10, ids.Distinct().Count());
        Assert.Empty(Warnings);
    }

    [Fact]
    public void After_a_kill_at_any_moment_there_is_what_was_written_at_some_moment()
    {
        using var state = Open();
        for (var i = 0; i < 300; i++)
        {
            state.Save(Known(Number(i)));
            if (i % 60 == 30)
            {
                var upload = new UploadState("site-b.example", Alpine, DigestOf($"{i}"), new RemoteUpload("https://site-b.example/1", i, null), Now(i));
                state.Save(upload);
                state.SavePlace("site-b.example", DigestOf($"{i}"), Alpine);
                state.Save(Known(Number(i + 1)));
                using var killed = OpenAsKilled($"{i}");
                Assert.Equal(Alpine, killed.FindPlace("site-b.example", DigestOf($"{i}")));

                // Uploads and places are kept at once, and with them what was saved before; of what was saved after, nothing or a beginning.
                Assert.Equal(upload, killed.FindUpload(upload.Registry, upload.Digest));
                var kept = killed.ListTags(Job, Alpine).Select(tag => $"{tag.Tag}").ToList();
                Assert.InRange(kept.Count, i + 1, i + 2);
                Assert.Equal(Enumerable.Range(0, kept.Count).Select(Number), kept);
            }
        }

        Assert.Empty(Warnings);
    }

    [Fact]
    public void What_is_saved_of_a_tag_is_kept_soon_without_anything_after_it()
    {
        using var state = Open();
        state.Save(Known("1"));
        Time.Advance(TimeSpan.FromSeconds(1));

        using var killed = OpenAsKilled("killed");
        Assert.Equal([Known("1")], killed.ListTags(Job, Alpine));
    }

    [Theory]
    [InlineData(0, 100_000)]
    [InlineData(0, 64)]
    [InlineData(4_000, 60_000)]
    public void A_damaged_file_is_put_aside_with_one_warning_and_a_new_one_begun(int from, int count)
    {
        using (var state = Open())
        {
            Fill(state, 500);
        }

        Overwrite(FilePath, from, count);
        var damaged = File.ReadAllBytes(FilePath);

        using (var state = Open())
        {
            Assert.Empty(state.ListTags(Job, Alpine));
            Assert.Empty(state.ListRuns(null, 10));
            state.Save(Known("1"));
        }

        Assert.Contains("it is put aside as " + FileName + ".old", Assert.Single(Warnings), StringComparison.Ordinal);
        Assert.Equal(damaged.Length, new FileInfo(FilePath + ".old").Length);
        using var again = Open();
        Assert.Equal([Known("1")], again.ListTags(Job, Alpine));
        Assert.Single(Warnings);
    }

    [Fact]
    public void Where_the_file_can_not_be_used_the_state_is_in_memory_and_says_so_once()
    {
        Directory.CreateDirectory(Path.Combine(FilePath, "something"));

        using var state = Open();
        state.Save(Known("1"));
        var run = state.Begin(NewRun("a"));

        Assert.Equal([Known("1")], state.ListTags(Job, Alpine));
        Assert.Equal([run], state.ListRuns(null, 10));
        Assert.Contains("is in memory alone", Assert.Single(Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_else_can_read_it()
    {
        using var state = Open();
        Fill(state, 10);

        if (!OperatingSystem.IsWindows())
        {
            Assert.All(
                Directory.EnumerateFiles(_directory.Path),
                file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
        }
    }

    [Fact]
    public void Fifty_thousand_tags_of_a_repository_are_kept()
    {
        const int Tags = 50_000;
        using (var state = Open())
        {
            Fill(state, Tags);
            state.Save(Known("1") with { Repository = Debian });
        }

        using var again = Open();
        Assert.Equal(Enumerable.Range(0, Tags).Select(Number), again.ListTags(Job, Alpine).Select(tag => $"{tag.Tag}"));
        Assert.Equal([Alpine, Debian], again.ListRepositories(Job));
        Assert.Equal(Known(Number(Tags / 2)), again.FindTag(Job, Alpine, Tag.Parse(Number(Tags / 2))));
    }

    [Fact]
    public void A_state_that_is_closed_says_so()
    {
        var state = Open();
        state.Dispose();
        state.Dispose();

        Assert.Throws<ObjectDisposedException>(() => state.FindTag(Job, Alpine, Tag.Parse("1")));
        Assert.Throws<ObjectDisposedException>(() => state.Save(Known("1")));
    }

    protected static TagState Known(string tag) => new(
        Job, Alpine, Tag.Parse(tag), DigestOf(tag), new DateTimeOffset(1, TimeSpan.Zero), null, DigestOf(tag), null, null, null, 0, null);

    protected static IReadOnlyList<TagState> ListKnown(ISyncState state) => state.ListTags(Job, Alpine);

    private static string Number(int i) => i.ToString("D6", CultureInfo.InvariantCulture);

    private static void Fill(ISyncState state, int tags)
    {
        state.Begin(NewRunAt(Job, DateTimeOffset.UnixEpoch));
        for (var i = 0; i < tags; i++)
        {
            state.Save(Known(Number(i)));
        }
    }

    private static void Overwrite(string path, int from, int count)
    {
        var bytes = new byte[count];
        new Random(1).NextBytes(bytes);
        using var file = File.OpenWrite(path);
        file.Position = from;
        file.Write(bytes);
    }

    private static Digest DigestOf(string content) => Digest.Sha256(System.Text.Encoding.UTF8.GetBytes(content));

    private static SyncRun NewRunAt(string job, DateTimeOffset at) => new(0, job, "schedule", at, null, RunOutcome.Running, RunFigures.None, null);

    private SyncRun NewRun(string job) => NewRunAt(job, Time.GetUtcNow());

    /// <summary>Some time, with more digits than a millisecond has.</summary>
    private DateTimeOffset Now(int seconds) => Time.GetUtcNow() + TimeSpan.FromSeconds(seconds) + TimeSpan.FromTicks(1);

    /// <summary>What a new process finds when this one is killed now.</summary>
    private ISyncState OpenAsKilled(string name)
    {
        var folder = _directory.Combine(name);
        Directory.CreateDirectory(folder);
        foreach (var file in new[] { FileName, LogName }.Where(file => File.Exists(_directory.Combine(file))))
        {
            File.Copy(_directory.Combine(file), Path.Combine(folder, file));
        }

        return Open(Path.Combine(folder, FileName));
    }
}
