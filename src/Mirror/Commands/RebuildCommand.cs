using System.CommandLine;
using Mirror.Configuration.Reading;
using Mirror.Storage;

namespace Mirror.Commands;

/// <summary><c>mirror rebuild</c>: the database is made again from what it is an index of.</summary>
public static class RebuildCommand
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(200);

    public static Command Create()
    {
        var rebuild = new DetailedCommand(
            "rebuild",
            "Make the database again from the published files and the journal.",
            """
            For when mirror.db is damaged or lost, or a backup without it was restored. No server may be running. All
            content is read and checked: that takes as long as the disk needs for it.

            The database that was there stays in use until the new one is whole, and is then kept as mirror.db.old; an
            earlier mirror.db.old is replaced. What can not be taken over is named on standard error: damaged or foreign
            files, which stay where they are, broken lines of the journal, tags whose manifest is gone.

            Exits with 0 if all is there again, 3 if something was left out, and 1 if it could not be done.
            """);
        rebuild.SetAction((invocation, stopping) => GlobalOptions.FindConfiguration(invocation) is { } loaded
            ? RunAsync(loaded.Configuration.Storage.Path, invocation.InvocationConfiguration, stopping)
            : Task.FromResult(ExitCode.Misused));
        return rebuild;
    }

    private static async Task<int> RunAsync(string path, InvocationConfiguration streams, CancellationToken stopping)
    {
        var progress = new ProgressLine(streams.Error);
        var gate = new Lock();
        var rebuild = new Rebuild(path, TimeProvider.System, LeaveOut);
        try
        {
            var running = Task.Run(() => rebuild.Run(stopping), CancellationToken.None);
            while (!running.IsCompleted)
            {
                lock (gate)
                {
                    progress.Show(Text(rebuild));
                }

                await Task.WhenAny(running, Task.Delay(Step, TimeProvider.System, CancellationToken.None));
            }

            progress.Clear();
            return await SayAsync(path, await running, streams);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            progress.Clear();
            await streams.Error.WriteLineAsync("mirror: interrupted: the database is as it was");
        }
        catch (StoreInUseException e)
        {
            await streams.Error.WriteLineAsync($"mirror: {e.Message.TrimEnd('?')}: stop it first");
        }
        catch (StoreException e)
        {
            progress.Clear();
            await streams.Error.WriteLineAsync($"mirror: {e.Message} (storage.path, or MIRROR_STORAGE__PATH)");
        }

        return ExitCode.Failed;

        void LeaveOut(string what)
        {
            lock (gate)
            {
                progress.Clear();
                streams.Error.WriteLine($"mirror: left out: {Printable.Sentence(what)}");
            }
        }
    }

    private static string Text(Rebuild rebuild) => rebuild.Part < 1
        ? $"reading content: {rebuild.Blobs} files, {Bytes.Human(rebuild.Bytes)}, {rebuild.Part:P0}"
        : $"reading the journal: {rebuild.Changes} changes";

    private static async Task<int> SayAsync(string path, RebuildSummary done, InvocationConfiguration streams)
    {
        var database = Path.Combine(Path.GetFullPath(path), "mirror.db");
        await streams.Output.WriteLineAsync(
            $"{database}: made again from {done.Blobs} files ({Bytes.Human(done.Bytes)}) and {done.Changes} changes in the journal; "
            + $"{done.Tags} tags");
        if (done.OldDatabase is { } old)
        {
            await streams.Output.WriteLineAsync($"{old}: the one that was there before");
        }

        return done.LeftOut == 0 ? ExitCode.Done : ExitCode.Partly;
    }
}
