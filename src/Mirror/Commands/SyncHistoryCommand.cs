using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror sync history</c>: what runs have done.</summary>
internal static class SyncHistoryCommand
{
    public static Command Create()
    {
        var job = new Argument<string?>("JOB") { Description = "Only this job's runs.", Arity = ArgumentArity.ZeroOrOne };
        var last = new Option<int>("--last", "-n")
        {
            Description = "How many runs, at most 1000.",
            HelpName = "N",
            DefaultValueFactory = _ => 20,
        };
        last.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && !(int.TryParse(text, out var count) && count is > 0 and <= 1000))
            {
                result.AddError("--last takes a number from 1 to 1000.");
            }
        });
        var json = StoreCommand.Json();
        var history = new DetailedCommand(
            "history",
            "List the last runs of jobs, the newest first.",
            """
            SENT is what was sent of blobs; ASKED is how many requests source and target got; WHY begins to say what was not
            done, and --json says it in full. A job's last 1000 runs of 90 days are kept.

            Exits with 0, also where there is none, and 1 if the server or the store can not be asked.
            """)
        { job, last, json };
        history.SetAction((invocation, stopping) =>
        {
            var name = invocation.GetValue(job);
            return SyncCommand.CheckJobs(name is null ? [] : [name], invocation)
                ? StoreCommand.RunAsync(
                    invocation,
                    client => ListAsync(
                        client.SyncHistoryAsync(name, invocation.GetValue(last), stopping),
                        invocation.InvocationConfiguration.Output,
                        invocation.GetValue(json)),
                    stopping)
                : Task.FromResult(ExitCode.Misused);
        });
        return history;
    }

    private static async Task<int> ListAsync(IAsyncEnumerable<SyncRunEntry> runs, TextWriter output, bool asJson)
    {
        if (asJson)
        {
            await new JsonList<SyncRunEntry>(output, Messages.Json.SyncRunEntry).AddAllAsync(runs);
            return ExitCode.Done;
        }

        TextTable? table = null;
        await foreach (var run in runs)
        {
            table ??= new TextTable(
                output,
                new Column("RUN", IsNumber: true),
                new Column("JOB"),
                new Column("STARTED (UTC)"),
                new Column("TOOK", IsNumber: true),
                new Column("CAUSE"),
                new Column("OUTCOME"),
                new Column("COPIED", IsNumber: true),
                new Column("UP TO DATE", IsNumber: true),
                new Column("DELETED", IsNumber: true),
                new Column("NOT DONE", IsNumber: true),
                new Column("SENT", IsNumber: true),
                new Column("ASKED", IsNumber: true),
                new Column("WHY"));
            await table.AddAsync(
                $"{run.Run}",
                run.Job,
                SyncCommand.Time(run.StartedAt),
                run.EndedAt - run.StartedAt is { } took ? Elapsed.Human(took) : "-",
                run.Cause,
                run.Outcome,
                $"{run.Copied}",
                $"{run.UpToDate}",
                $"{run.Deleted}",
                $"{run.Failed}",
                Bytes.Human(run.Bytes),
                $"{run.SourceRequests} + {run.TargetRequests}",
                run.Why is null ? "" : Printable.Of(run.Why));
        }

        await (table?.FlushAsync() ?? output.WriteLineAsync("No run is remembered."));
        return ExitCode.Done;
    }
}
