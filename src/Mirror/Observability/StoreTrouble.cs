using Microsoft.Extensions.Logging;

namespace Mirror.Observability;

/// <summary>What a store can fail to do.</summary>
public enum StorePart
{
    ReadingFiles,
    WritingFiles,
    ReadingDatabase,
    WritingDatabase,
}

/// <summary>
/// What the store can not do just now. Pulls go on without it, so nobody would notice: hence a counter for each time, an event once a minute at
/// most, one when it is over, and a line for who asks how the mirror is.
/// </summary>
public sealed partial class StoreTrouble(MirrorMetrics metrics, TimeProvider time, ILogger<StoreTrouble> logger)
{
    private static readonly TimeSpan Reminder = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<StorePart, string> _current = [];
    private readonly Dictionary<StorePart, DateTimeOffset> _loggedAt = [];    // also after it was over: a disk that is nearly full fails now and then
    private readonly HashSet<StorePart> _saidOver = [];
    private volatile bool _any;
    private string? _damage;

    /// <summary>Whether there is something that the store could not do when it was last asked to.</summary>
    public bool Any => _any;

    /// <summary>One line for each thing that can not be done; none where all is well.</summary>
    public IReadOnlyList<string> Describe()
    {
        lock (_gate)
        {
            var current = _current.OrderBy(trouble => trouble.Key).Select(trouble => $"{NameOf(trouble.Key)} failed: {trouble.Value}");
            return [.. current.Concat(_damage is null ? [] : [_damage])];
        }
    }

    public void Met(StorePart part, Exception e)
    {
        metrics.StoreFailed(NameOf(part));
        var now = time.GetUtcNow();
        lock (_gate)
        {
            _current[part] = e.Message;
            _any = true;
            if (_loggedAt.TryGetValue(part, out var loggedAt) && now - loggedAt < Reminder)
            {
                return;
            }

            _loggedAt[part] = now;
            _saidOver.Remove(part);
        }

        LogMet(e, NameOf(part));
    }

    /// <summary>The database itself is damaged. What it can still do does not mean that it is well again.</summary>
    public void Damaged(string what)
    {
        lock (_gate)
        {
            _damage = what;
        }

        LogDamaged(what);
    }

    /// <summary>It has just worked.</summary>
    public void Over(StorePart part)
    {
        if (!_any)
        {
            return;
        }

        lock (_gate)
        {
            if (!_current.Remove(part))
            {
                return;
            }

            _any = _current.Count > 0;
            if (!_saidOver.Add(part))
            {
                return;
            }
        }

        LogOver(NameOf(part));
    }

    private static string NameOf(StorePart part) => part switch
    {
        StorePart.ReadingFiles => "reading files",
        StorePart.WritingFiles => "writing files",
        StorePart.ReadingDatabase => "reading the database",
        StorePart.WritingDatabase => "writing the database",
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "The store is in trouble: {What} failed. Pulls go on, from upstream, and nothing of them is kept")]
    private partial void LogMet(Exception exception, string what);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The store can not be relied on: {What}")]
    private partial void LogDamaged(string what);

    [LoggerMessage(Level = LogLevel.Information, Message = "The store is well again: {What} works")]
    private partial void LogOver(string what);
}
