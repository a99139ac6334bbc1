using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror sync status</c>: how it stands with the jobs.</summary>
internal static class SyncStatusCommand
{
    public static Command Create()
    {
        var names = new Argument<string[]>("JOB") { Description = "Only these jobs. Default: all.", Arity = ArgumentArity.ZeroOrMore };
        var json = StoreCommand.Json();
        var status = new DetailedCommand(
            "status",
            "Show what jobs are doing, and how their last runs ended.",
            """
            Below the table is what the last run of each job has not done, and why. NEXT is a time where a server runs, as
            nothing else keeps the schedule.

            Exits with 0 if the last run of every such job has done all that it was to do, 3 if one has not, and 1 if the server or
            the store can not be asked. A job that never ran is no fault.
            """)
        { names, json };
        status.SetAction((invocation, stopping) =>
        {
            var asked = invocation.GetValue(names)!;
            return SyncCommand.CheckJobs(asked, invocation)
                ? StoreCommand.RunAsync(
                    invocation,
                    client => ShowAsync(client, asked, invocation.InvocationConfiguration.Output, invocation.GetValue(json), stopping),
                    stopping)
                : Task.FromResult(ExitCode.Misused);
        });
        return status;
    }

    private static async Task<int> ShowAsync(
        AdministrationClient client, string[] asked, TextWriter output, bool asJson, CancellationToken stopping)
    {
        var jobs = new List<SyncJobStatus>();
        await foreach (var job in client.SyncJobsAsync(stopping))
        {
            jobs.AddRange(asked.Length == 0 || asked.Contains(job.Job, StringComparer.Ordinal) ? [job] : []);
        }

        await (asJson
            ? new JsonList<SyncJobStatus>(output, Messages.Json.SyncJobStatus).AddAllAsync(jobs.ToAsyncEnumerable())
            : WriteAsync(jobs, client.IsOwn, output));
        return jobs.TrueForAll(job => job.Last is null or { Outcome: "done" }) ? ExitCode.Done : ExitCode.Partly;
    }

    private static async Task WriteAsync(List<SyncJobStatus> jobs, bool isOwn, TextWriter output)
    {
        if (jobs.Count == 0)
        {
            await output.WriteLineAsync(SyncCommand.None);
            return;
        }

        var table = new TextTable(
            output,
            new Column("JOB"),
            new Column("NOW"),
            new Column("LAST RUN (UTC)"),
            new Column("OUTCOME"),
            new Column("COPIED", IsNumber: true),
            new Column("UP TO DATE", IsNumber: true),
            new Column("DELETED", IsNumber: true),
            new Column("NOT DONE", IsNumber: true),
            new Column("NEXT (UTC)"));
        foreach (var job in jobs)
        {
            var last = job.Last;
            await table.AddAsync(
                job.Job,
                job.Running is { } running ? Now(running) : "-",
                SyncCommand.Time(last?.StartedAt),
                last?.Outcome ?? "never ran",
                $"{last?.Copied}",
                $"{last?.UpToDate}",
                $"{last?.Deleted}",
                $"{last?.Failed}",
                SyncCommand.Next(job, isOwn));
        }

        await table.FlushAsync();
        foreach (var job in jobs.Where(job => job.Last?.Why is not null))
        {
            await output.WriteLineAsync($"\n{job.Job}: {Printable.Sentence(job.Last!.Why!)}");
        }
    }

    private static string Now(SyncProgress running) => running.AllImages is { } all
        ? $"{running.Images} of {all} images, {Bytes.Human(running.Bytes)}"
        : "looks what there is to do";
}
