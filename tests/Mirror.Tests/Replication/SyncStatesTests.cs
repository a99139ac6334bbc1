using Mirror.Configuration;
using Mirror.Replication;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Replication;

public sealed class SyncStatesTests
{
    [Fact]
    public void What_is_remembered_is_in_the_data_directory_and_not_in_the_stores_own_database()
    {
        using var data = new TemporaryDirectory();
        foreach (var kind in Enum.GetValues<SyncStateKind>())
        {
            using var state = SyncStates.Open(kind, new StoreLayout(data.Path), new ManualTime(), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
            state.SaveVerified("a", DateTimeOffset.UnixEpoch);
            Assert.Equal(DateTimeOffset.UnixEpoch, state.FindVerified("a"));
        }

        Assert.Equal(
            Enum.GetValues<SyncStateKind>().Select(kind => kind == SyncStateKind.Sqlite ? "sync.db" : "sync.litedb"),
            Directory.EnumerateFiles(data.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }
}
