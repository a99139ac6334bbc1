using Microsoft.Extensions.Logging;
using Mirror.Configuration;
using Mirror.Storage;
using Mirror.Sync.State;
#if LITEDB
using Mirror.Sync.LiteDb;
#endif

namespace Mirror.Replication;

/// <summary>Opens what the replicator remembers.</summary>
public static partial class SyncStates
{
    /// <param name="kind">In what it is kept.</param>
    /// <param name="layout">The data directory, whose lock this process holds.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Is told what people should know.</param>
    public static ISyncState Open(SyncStateKind kind, StoreLayout layout, TimeProvider time, ILogger logger) => kind switch
    {
        SyncStateKind.Sqlite => SqliteSyncState.Open(layout.SyncDatabase, time, why => LogTrouble(logger, why)),
#if LITEDB
        SyncStateKind.LiteDb => LiteDbSyncState.Open(layout.SyncLiteDb, time, why => LogTrouble(logger, why)),
#endif
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Why}")]
    private static partial void LogTrouble(ILogger logger, string why);
}
