using Mirror.Storage;
using Mirror.Testing;
using Mirror.Tests.Local;

namespace Mirror.Tests.Storage;

/// <summary>A database that is damaged or lost is noticed, and whoever runs the mirror is told what to do.</summary>
public sealed class DatabaseDamageTests
{
    private const string Advice = "`mirror rebuild` makes it again";

    [Theory]
    [InlineData("deleted")]
    [InlineData("emptied")]
    [InlineData("without tables")]
    [InlineData("other tables")]
    [InlineData("no database")]
    [InlineData("cut short")]
    [InlineData("a page of zeros")]
    public async Task A_damaged_or_lost_database_is_refused_at_start_with_what_to_do(string damage)
    {
        await using var own = await OwnRegistry.StartAsync();
        await own.PushAsync("app", TestImage.Create(layers: 3, layerSize: 1000), "1");
        var layout = new StoreLayout(own.Mirror.DataPath);
        StoreException? refusal = null;

        await own.Mirror.RestartAsync(() =>
        {
            Damage(layout.Database, damage);
            refusal = Assert.Throws<StoreException>(() => Store.Open(layout.Root, TimeProvider.System));
            new Rebuild(layout.Root, TimeProvider.System, what => Assert.Fail(what)).Run(CancellationToken.None);
        });

        Assert.Contains(Advice, refusal!.Message, StringComparison.Ordinal);
        Assert.Equal(200, (await own.SendAsync("GET", "/v2/app/manifests/1")).Status);
    }

    [Fact]
    public async Task A_new_data_directory_needs_no_database_nor_does_one_whose_first_start_broke_off()
    {
        using var folder = new TemporaryDirectory();
        await Store.Open(folder.Combine("new"), TimeProvider.System).DisposeAsync();

        new StoreLayout(folder.Combine("begun")).Create();
        File.WriteAllText(folder.Combine("begun", "mirror.db"), "");
        File.WriteAllText(folder.Combine("begun", "refs.log"), "");
        await Store.Open(folder.Combine("begun"), TimeProvider.System).DisposeAsync();
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_refused_and_not_called_damaged()
    {
        using var folder = new TemporaryDirectory();
        await Store.Open(folder.Path, TimeProvider.System).DisposeAsync();
        using (var session = new SqlSession(new StoreLayout(folder.Path).Database, readOnly: false))
        {
            session.Execute("PRAGMA user_version = 99");
        }

        var refusal = Assert.Throws<StoreException>(() => Store.Open(folder.Path, TimeProvider.System));

        Assert.Contains("use a newer program", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("rebuild", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Damage_that_is_met_while_the_server_runs_is_logged_once_and_stays_on_readyz()
    {
        await using var own = await OwnRegistry.StartAsync();
        await own.PushAsync("app", TestImage.Create(), "1");
        await own.Mirror.RestartAsync();
        await using (var database = File.Open(Path.Combine(own.Mirror.DataPath, "mirror.db"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            await database.WriteAsync(new byte[8192]);
        }

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(503, (await own.SendAsync("GET", "/v2/app/manifests/1")).Status);
            Assert.Contains("stop the server, and `mirror rebuild`", Text(await own.SendAsync("GET", "/readyz")), StringComparison.Ordinal);
        }

        Assert.Single(own.Mirror.Log.Lines, line => line.Contains("`mirror rebuild`", StringComparison.Ordinal));
        var refused = own.Mirror.Log.Lines.Where(line => line.Contains("GET /v2/app/manifests/1 failed because of the store: SQLite", StringComparison.Ordinal));
        Assert.Equal(3, refused.Count());
        Assert.All(refused, line => Assert.DoesNotContain('\n', line));
    }

    private static string Text(PushAnswer answer) => System.Text.Encoding.UTF8.GetString(answer.Body);

    private static void Damage(string database, string damage)
    {
        switch (damage)
        {
            case "deleted":
                File.Delete(database);
                break;

            case "emptied":
                File.WriteAllText(database, "");
                break;

            case "no database":
                File.WriteAllText(database, new string('x', 10_000));
                break;

            case "without tables" or "other tables":
                File.Delete(database);
                using (var session = new SqlSession(database, readOnly: false))
                {
                    session.Execute("CREATE TABLE other (x INTEGER)");
                    session.Execute($"PRAGMA user_version = {(damage == "other tables" ? 4 : 0)}");
                }

                break;

            default:
                using (var file = File.OpenHandle(database, FileMode.Open, FileAccess.ReadWrite))
                {
                    var length = RandomAccess.GetLength(file);
                    if (damage == "cut short")
                    {
                        RandomAccess.SetLength(file, length / 2);
                    }
                    else
                    {
                        RandomAccess.Write(file, new byte[4096], length - 4096);
                    }
                }

                break;
        }
    }
}
