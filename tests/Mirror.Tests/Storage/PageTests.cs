using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;
using SQLitePCL;

namespace Mirror.Tests.Storage;

/// <summary>What a page of a list costs, in steps of the database's machine: a number that is the same on every computer.</summary>
public sealed class PageTests
{
    private const string App = "team/app";
    private static readonly Digest Digest = Digest.Sha256("manifest"u8);

    [Fact]
    public async Task A_page_of_tags_costs_the_same_among_fifty_thousand_as_among_a_hundred()
    {
        var few = await StepsAsync(Tags(100), Metadata.TagPage, RepositoryKey.OwnRegistry, App, "t00040", "50");
        var many = await StepsAsync(Tags(50_000), Metadata.TagPage, RepositoryKey.OwnRegistry, App, "t40000", "50");

        Assert.Equal(new Cost(Rows: 50, Steps: few.Steps, RowsScanned: 0, Sorted: 0), many);
        Assert.Equal(few, many);
    }

    [Fact]
    public async Task A_page_of_the_catalog_costs_the_same_among_five_thousand_repositories_as_among_a_hundred()
    {
        var few = await StepsAsync(Repositories(100), Metadata.RepositoryPage, RepositoryKey.OwnRegistry, "team/00040", "50");
        var many = await StepsAsync(Repositories(5000), Metadata.RepositoryPage, RepositoryKey.OwnRegistry, "team/04000", "50");

        Assert.Equal(new Cost(Rows: 50, Steps: few.Steps, RowsScanned: 0, Sorted: 0), many);
        Assert.Equal(few, many);
    }

    private static IEnumerable<(string Repository, string Tag)> Tags(int count) => Enumerable.Range(0, count).Select(i => (App, $"t{i:00000}"));

    private static IEnumerable<(string Repository, string Tag)> Repositories(int count) => Enumerable.Range(0, count).Select(i => ($"team/{i:00000}", "1"));

    private static async Task<Cost> StepsAsync(IEnumerable<(string Repository, string Tag)> tags, string sql, params string[] values)
    {
        using var folder = new TemporaryDirectory();
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            await Task.WhenAll(tags.Select(tag => store.Metadata.RecordTagAsync(
                RepositoryKey.Local(RepositoryName.Parse(tag.Repository)), new TagSighting(Tag.Parse(tag.Tag), DateTimeOffset.UnixEpoch), Digest)));
        }

        return Run(new StoreLayout(folder.Path).Database, sql, values);
    }

    private static Cost Run(string database, string sql, string[] values)
    {
        Assert.Equal(raw.SQLITE_OK, raw.sqlite3_open_v2(database, out var connection, raw.SQLITE_OPEN_READWRITE, vfs: null));
        using (connection)
        {
            Assert.Equal(raw.SQLITE_OK, raw.sqlite3_prepare_v2(connection, sql, out var statement));
            using (statement)
            {
                for (var i = 0; i < values.Length - 1; i++)
                {
                    raw.sqlite3_bind_text(statement, i + 1, values[i]);
                }

                raw.sqlite3_bind_int(statement, values.Length, int.Parse(values[^1], System.Globalization.CultureInfo.InvariantCulture));
                var rows = 0;
                while (raw.sqlite3_step(statement) == raw.SQLITE_ROW)
                {
                    rows++;
                }

                return new Cost(rows, Count(raw.SQLITE_STMTSTATUS_VM_STEP), Count(raw.SQLITE_STMTSTATUS_FULLSCAN_STEP), Count(raw.SQLITE_STMTSTATUS_SORT));

                int Count(int what) => raw.sqlite3_stmt_status(statement, what, 0);
            }
        }
    }

    /// <param name="Rows">How many it has given.</param>
    /// <param name="Steps">Of the database's machine.</param>
    /// <param name="RowsScanned">Without an index that leads to them.</param>
    /// <param name="Sorted">How often it has sorted what it found.</param>
    private sealed record Cost(int Rows, int Steps, int RowsScanned, int Sorted);
}
