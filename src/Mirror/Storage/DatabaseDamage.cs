using Microsoft.Data.Sqlite;

namespace Mirror.Storage;

/// <summary>
/// Whether the database's own file is damaged, which nothing heals but making it again. At start that is an error; while it is used, whoever
/// wants to know is told once.
/// </summary>
public sealed class DatabaseDamage
{
    private const int Corrupt = 11;
    private const int NotADatabase = 26;

    /// <summary>What is there, but has no such table or column.</summary>
    private const int OtherTables = 1;

    private const string Advice = "`mirror rebuild` makes it again from the published files and the journal";

    private Action<string>? _found;
    private string? _what;

    /// <summary>Sets who is told what is wrong and what to do, once, when it is noticed or at once.</summary>
    public void Tell(Action<string> found)
    {
        _found = found;
        if (_what is not null)
        {
            found(_what);
        }
    }

    /// <summary>A failure may be the file's.</summary>
    internal void Notice(Exception e)
    {
        if (e is SqliteException { SqliteErrorCode: Corrupt or NotADatabase }
            && Interlocked.CompareExchange(ref _what, $"the database is damaged ({e.Message}): stop the server, and {Advice}", null) is null)
        {
            _found?.Invoke(_what);
        }
    }

    /// <summary>Whether what failed when the database was opened says that its file is damaged.</summary>
    internal static bool IsIn(SqliteException e) => e.SqliteErrorCode is Corrupt or NotADatabase or OtherTables;

    internal static StoreException Found(StoreLayout layout, string what, Exception? inner = null) =>
        new($"the database {layout.Database} is damaged ({what}): {Advice}", inner);

    internal static StoreException Missing(StoreLayout layout) =>
        new($"the database {layout.Database} is missing or empty, and there is content that it should know of: {Advice}");
}
