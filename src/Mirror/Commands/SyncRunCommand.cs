using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror sync run</c>: jobs run now.</summary>
internal static class SyncRunCommand
{
    public static Command Create()
    {
        var jobs = new Argument<string[]>("JOB") { Description = "What to run; several run side by side.", Arity = ArgumentArity.OneOrMore };
        var (full, repository, tags) = (SyncCommand.Full(), SyncCommand.Repository(), SyncCommand.Tags());
        var exceeds = new Option<bool>("--exceed-delete-limit")
        {
            Description = "Delete all tags that are gone at the source this once, also more than the job's deleteLimit. `mirror sync plan` says which.",
        };
        var json = StoreCommand.Json();
        var run = new DetailedCommand(
            "run",
            "Run jobs now, and follow them.",
            """
            Where a server runs, it runs them: interrupting this command stops following, and `mirror sync stop JOB` stops a run.
            One that goes on already is followed. Where no server runs, this command runs them itself, and interrupting it stops
            them; what is there stays, and the next run does the rest.

            Prints a line for each image that is copied or deleted. What was not done, and why, is on standard error; so is a
            --repository or --tag that the job does not copy.
            Exits with 0 if all is done, 3 if a part is not, and 1 if nothing is.
            """)
        { jobs, full, exceeds, repository, tags, json };
        run.Validators.Add(result =>
        {
            if (result.GetResult(tags) is { Tokens.Count: > 0 } && result.GetResult(repository) is not { Tokens.Count: > 0 })
            {
                result.AddError("--tag is one of a --repository: name that too.");
            }
        });
        run.SetAction((invocation, stopping) =>
        {
            var names = invocation.GetValue(jobs)!;
            var request = new SyncRunRequest(
                names,
                invocation.GetValue(full),
                invocation.GetValue(exceeds),
                invocation.GetValue(repository),
                invocation.GetValue(tags));
            return SyncCommand.CheckJobs(names, invocation)
                ? StoreCommand.RunAsync(
                    invocation,
                    client => RunAsync(client, request, invocation.InvocationConfiguration, invocation.GetValue(json), stopping),
                    stopping)
                : Task.FromResult(ExitCode.Misused);
        });
        return run;
    }

    private static async Task<int> RunAsync(
        AdministrationClient client, SyncRunRequest request, InvocationConfiguration streams, bool asJson, CancellationToken stopping)
    {
        var reports = new List<SyncReport>();
        try
        {
            await RunDisplay.ShowAsync(streams, isQuiet: asJson, async display =>
            {
                await foreach (var line in client.SyncRunAsync(request, stopping))
                {
                    display.Show(line);
                    reports.AddRange(line.Report is { } report ? [report] : []);
                }
            });
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await streams.Error.WriteLineAsync(client.IsOwn
                ? "mirror: stopping; what is there stays, and the next run does the rest"
                : "mirror: the server goes on with it: `mirror sync status` shows how far it is, "
                    + $"`mirror sync stop {string.Join(' ', request.Jobs!)}` stops it");
            return ExitCode.Failed;
        }

        if (asJson)
        {
            await new JsonList<SyncReport>(streams.Output, Messages.Json.SyncReport).AddAllAsync(reports.ToAsyncEnumerable());
        }

        foreach (var report in reports)
        {
            if (!asJson)
            {
                await streams.Output.WriteLineAsync(Summary(report.Run));
            }

            foreach (var line in report.Missing.Select(Text).Concat(report.Notes))
            {
                await streams.Error.WriteLineAsync($"mirror: {report.Run.Job}: {Printable.Sentence(line)}");
            }
        }

        return reports.TrueForAll(report => report.Run.Outcome == "done") ? ExitCode.Done
            : reports.TrueForAll(report => report.Run.Outcome == "failed") ? ExitCode.Failed
            : ExitCode.Partly;
    }

    private static string Text(SyncMissing missing) => (missing.Repository, missing.Tag) switch
    {
        (null, _) => missing.Why,
        ({ } repository, null) => $"{repository}: {missing.Why}",
        ({ } repository, { } tag) => $"{repository}:{tag}: {missing.Why}",
    };

    private static string Summary(SyncRunEntry run)
    {
        var outcome = run.Outcome == "partly" ? "done in part" : run.Outcome;
        var took = run.EndedAt - run.StartedAt is { } span ? $" in {Elapsed.Human(span)}" : "";
        return $"{run.Job}: {outcome}{took}: {run.Copied} copied, {run.UpToDate} up to date, {run.Deleted} deleted, {run.Failed} not done; "
            + $"{run.Blobs} blobs sent ({Bytes.Human(run.Bytes)}), {run.Mounted} mounted";
    }
}
