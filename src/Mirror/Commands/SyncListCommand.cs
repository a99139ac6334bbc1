using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror sync list</c>: which jobs there are.</summary>
internal static class SyncListCommand
{
    public static Command Create()
    {
        var json = StoreCommand.Json();
        var list = new DetailedCommand(
            "list",
            "List the configured jobs.",
            """
            Shows what each copies, from where to where, and when it runs next. Jobs run on schedule while `mirror serve` runs,
            and else not at all; one without a schedule runs when `mirror sync run` says so, or something is pushed that it copies.

            Exits with 0, also where there is none, and 1 if the server or the store can not be asked.
            """)
        { json };
        list.SetAction((invocation, stopping) => StoreCommand.RunAsync(
            invocation,
            client => ListAsync(client, client.SyncJobsAsync(stopping), invocation.InvocationConfiguration.Output, invocation.GetValue(json)),
            stopping));
        return list;
    }

    private static async Task<int> ListAsync(
        AdministrationClient client, IAsyncEnumerable<SyncJobStatus> jobs, TextWriter output, bool asJson)
    {
        if (asJson)
        {
            await new JsonList<SyncJobStatus>(output, Messages.Json.SyncJobStatus).AddAllAsync(jobs);
            return ExitCode.Done;
        }

        TextTable? table = null;
        await foreach (var job in jobs)
        {
            table ??= new TextTable(
                output,
                new Column("JOB"),
                new Column("FROM"),
                new Column("TO"),
                new Column("REPOSITORIES"),
                new Column("SCHEDULE"),
                new Column("NEXT (UTC)"));
            await table.AddAsync(
                job.Job,
                job.From,
                job.To,
                Printable.Of(string.Join(", ", job.Repositories)),
                job.Schedule ?? "-",
                job.Running is not null ? "running" : SyncCommand.Next(job, client.IsOwn));
        }

        await (table?.FlushAsync() ?? output.WriteLineAsync(SyncCommand.None));
        return ExitCode.Done;
    }
}
