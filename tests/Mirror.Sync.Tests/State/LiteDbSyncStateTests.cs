using Mirror.Sync.LiteDb;
using Mirror.Sync.State;

namespace Mirror.Sync.Tests.State;

public sealed class LiteDbSyncStateTests : SyncStateContract
{
    protected override string FileName => "sync.litedb";

    protected override string LogName => "sync-log.litedb";

    protected override ISyncState Open(string path) => LiteDbSyncState.Open(path, Time, Warnings.Enqueue);
}
