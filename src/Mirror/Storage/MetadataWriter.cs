using System.Threading.Channels;

namespace Mirror.Storage;

/// <summary>
/// The one writer of the database. Writes queue up and are committed in groups, so that many at once cost one flush: first their changes go
/// to the journal, then the transaction. A write that fails takes nobody else's with it.
/// </summary>
internal sealed class MetadataWriter : IAsyncDisposable
{
    /// <summary>Readers wait for no transaction, but other writers do.</summary>
    private static readonly TimeSpan LongestTransaction = TimeSpan.FromMilliseconds(50);

    private readonly Channel<Write> _queue = Channel.CreateUnbounded<Write>(new UnboundedChannelOptions { SingleReader = true });
    private readonly SqlSession _session;
    private readonly RefJournal _journal;
    private readonly DatabaseDamage _damage;
    private readonly TimeProvider _time;
    private readonly Task _running;

    public MetadataWriter(SqlSession session, RefJournal journal, DatabaseDamage damage, TimeProvider time)
    {
        _session = session;
        _journal = journal;
        _damage = damage;
        _time = time;
        _running = Task.Run(RunAsync);
    }

    /// <param name="apply">Runs inside the transaction, on the writer's task. What it throws takes back what it did.</param>
    /// <returns>Done when committed; faulted when it could not be.</returns>
    public Task WriteAsync(Action<IndexWrite> apply)
    {
        var write = new Write(apply, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        return _queue.Writer.TryWrite(write) ? write.Done.Task : Task.FromException(new ObjectDisposedException(nameof(MetadataWriter)));
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.Complete();
        await _running;
        _session.Dispose();
        _journal.Dispose();
    }

    private async Task RunAsync()
    {
        await foreach (var first in _queue.Reader.ReadAllAsync())
        {
            var group = new List<Write>();
            try
            {
                CommitGroup(first, group);
                group.ForEach(write => write.Done.TrySetResult());
            }
            catch (Exception e)
            {
                RollBack();
                _damage.Notice(e);
                first.Done.TrySetException(e);
                group.ForEach(write => write.Done.TrySetException(e));
            }
        }
    }

    private void CommitGroup(Write first, List<Write> group)
    {
        var started = _time.GetTimestamp();
        var changes = new List<RefChange>();
        _session.Execute("BEGIN IMMEDIATE");
        var next = first;
        do
        {
            Apply(next, group, changes);
        }
        while (_time.GetElapsedTime(started) < LongestTransaction && _queue.Reader.TryRead(out next!));

        if (changes.Count > 0)
        {
            _journal.Append(changes);
        }

        try
        {
            if (changes.Count > 0)
            {
                _session.Execute("UPDATE journal SET length = $1", _journal.Length);
            }

            _session.Execute("COMMIT");
        }
        catch when (changes.Count > 0)
        {
            // Nobody was told that it is so, and the index says otherwise.
            _journal.TakeBack();
            throw;
        }
    }

    private void Apply(Write write, List<Write> group, List<RefChange> changes)
    {
        // In the group from the start: whatever happens from here on, its task ends with the group's.
        group.Add(write);
        _session.Execute("SAVEPOINT one");
        try
        {
            var change = new IndexWrite(_session, _time);
            write.Apply(change);
            changes.AddRange(change.Changes);
        }
        catch (Exception e)
        {
            _damage.Notice(e);
            write.Done.TrySetException(e);

            // A full disk has rolled the whole transaction back already; then this throws, and the group has failed.
            _session.Execute("ROLLBACK TO one");
        }

        _session.Execute("RELEASE one");
    }

    private void RollBack()
    {
        try
        {
            _session.Execute("ROLLBACK");
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            // The failure itself has ended the transaction already.
        }
    }

    private sealed record Write(Action<IndexWrite> Apply, TaskCompletionSource Done);
}
