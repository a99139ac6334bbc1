using Microsoft.Data.Sqlite;
using Mirror.Oci;
using Mirror.Sync.State;

namespace Mirror.Sync.Tests.State;

public sealed class SqliteSyncStateTests : SyncStateContract
{
    protected override string FileName => "sync.db";

    protected override string LogName => "sync.db-wal";

    [Theory]
    [InlineData(99)]
    [InlineData(1)]
    public void Another_versions_database_is_put_aside_whole(int version)
    {
        using (var state = Open())
        {
            state.Save(Known("1"));
        }

        Change($"PRAGMA user_version = {version}");

        using (var state = Open())
        {
            Assert.Empty(ListKnown(state));
        }

        Assert.Contains($"is of another version of the program ({version},", Assert.Single(Warnings), StringComparison.Ordinal);
        File.Move($"{FilePath}.old", FilePath, overwrite: true);
        Change("PRAGMA user_version = 2");
        using var again = Open();
        Assert.Equal([Known("1")], ListKnown(again));
    }

    [Fact]
    public void A_database_that_lacks_a_column_is_put_aside()
    {
        using (var state = Open())
        {
            state.Save(Known("1"));
        }

        Change("ALTER TABLE tags DROP COLUMN terms");

        using var again = Open();
        Assert.Empty(ListKnown(again));
        again.Save(Known("2"));
        Assert.Equal([Known("2")], ListKnown(again));
        Assert.Contains("it is put aside as sync.db.old", Assert.Single(Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("seen = 'sha256:abc'")]
    [InlineData("put = ''")]
    [InlineData("seen_at = -1")]
    [InlineData("put_at = 9223372036854775807")]
    [InlineData("failures = 9223372036854775807")]
    [InlineData("tag = '../../etc'")]
    public void A_row_that_can_not_be_read_counts_as_not_there(string change)
    {
        using (var state = Open())
        {
            state.Save(Known("1"));
            state.Save(Known("2"));
        }

        Change($"UPDATE tags SET {change} WHERE tag = '1'");

        using var again = Open();
        Assert.Equal([Known("2")], ListKnown(again));
        Assert.Null(again.FindTag(Known("1").Job, Known("1").Repository, Tag.Parse("1")));
        Assert.Empty(Warnings);
    }

    [Fact]
    public void Runs_uploads_and_repositories_that_can_not_be_read_count_as_not_there()
    {
        var digest = Digest.Sha256("x"u8);
        using (var state = Open())
        {
            var run = state.Begin(new SyncRun(0, "a", "event", Time.GetUtcNow(), null, RunOutcome.Running, RunFigures.None, null));
            state.Save(run with { Outcome = RunOutcome.Done });
            state.SaveVerified("a", Time.GetUtcNow());
            state.Save(new UploadState("r", Known("1").Repository, digest, new("https://r/1", 1, null), Time.GetUtcNow()));
            state.Save(Known("1"));
        }

        Change("UPDATE runs SET outcome = 'Odd'; UPDATE verified SET at = -1; UPDATE uploads SET saved_at = -1; UPDATE tags SET repository = 'A B'");

        using var again = Open();
        Assert.Empty(again.ListRuns(null, 10));
        Assert.Null(again.FindVerified("a"));
        Assert.Null(again.FindUpload("r", digest));
        Assert.Empty(again.ListRepositories(Known("1").Job));
    }

    [Fact]
    public void While_nothing_can_be_written_a_run_goes_on_without_memory_and_nothing_that_is_no_longer_so_is_remembered()
    {
        using var state = Open();
        state.Save(Known("1"));
        state.SaveVerified("base-images", Time.GetUtcNow());
        Change("CREATE TRIGGER full BEFORE DELETE ON tags BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END");

        state.RemoveTag(Known("1").Job, Known("1").Repository, Known("1").Tag);
        state.RemoveTag(Known("1").Job, Known("1").Repository, Known("1").Tag);
        Assert.Empty(ListKnown(state));
        Assert.Null(state.FindVerified("base-images"));
        Assert.Contains("replication goes on without memory", Assert.Single(Warnings), StringComparison.Ordinal);

        Change("DROP TRIGGER full");
        state.Save(Known("2"));
        var run = state.Begin(new SyncRun(0, "a", "event", Time.GetUtcNow(), null, RunOutcome.Running, RunFigures.None, null));

        Assert.Equal([Known("2")], ListKnown(state));
        Assert.Null(state.FindVerified("base-images"));
        Assert.Equal([run], state.ListRuns(null, 10));
        Assert.Single(Warnings);
    }

    [Fact]
    public void A_file_that_is_damaged_while_it_is_open_is_put_aside_and_runs_keep_their_numbers()
    {
        using var state = Open();
        var before = state.Begin(new SyncRun(0, "a", "event", Time.GetUtcNow(), null, RunOutcome.Running, RunFigures.None, null));
        state.Save(Known("1"));
        state.SaveVerified("base-images", Time.GetUtcNow());
        Change("DROP TABLE tags");

        Assert.Empty(ListKnown(state));
        state.Save(Known("2"));
        var after = state.Begin(before);
        state.Save(before with { Outcome = RunOutcome.Done });

        Assert.Equal([Known("2")], ListKnown(state));
        Assert.Equal([after.Id, before.Id], state.ListRuns("a", 10).Select(run => run.Id));
        Assert.True(after.Id > before.Id);
        Assert.Contains("is damaged", Assert.Single(Warnings), StringComparison.Ordinal);
    }

    protected override ISyncState Open(string path) => SqliteSyncState.Open(path, Time, Warnings.Enqueue);

    /// <summary>Somebody else changes the database.</summary>
    private void Change(string sql)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = FilePath, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The tests' own text.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
