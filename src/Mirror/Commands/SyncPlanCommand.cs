using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror sync plan</c>: what a run would do.</summary>
internal static class SyncPlanCommand
{
    /// <summary>What is shown only when it is asked for: there may be much of it, and a run does nothing about it.</summary>
    private static readonly string[] Quiet = ["up-to-date", "filtered"];

    public static Command Create()
    {
        var job = new Argument<string>("JOB") { Description = "The job." };
        var all = new Option<bool>("--all") { Description = "Show also what is up to date and what the job does not select." };
        var (full, repository, tags) = (SyncCommand.Full(), SyncCommand.Repository(), SyncCommand.Tags());
        var json = StoreCommand.Json();
        var plan = new DetailedCommand(
            "plan",
            "Show what a run of a job would do, image by image, without doing it.",
            """
            ACTION is copy (the target has no such tag), update (it points elsewhere there), delete, keep (it is gone at the source
            and stays at the target), failed (nothing can be said now), and with --all up-to-date and filtered. SIZE is all that
            the image consists of; what the target has of it already is not sent. --json has all of it.

            Nothing is written anywhere. To say sizes, the manifests of what would be copied are fetched, which costs quota where
            there is one.

            Exits with 0, with 3 if something can not be planned now, and 1 if nothing can.
            """)
        { job, all, full, repository, tags, json };
        plan.SetAction((invocation, stopping) =>
        {
            var name = invocation.GetValue(job)!;
            var request = new SyncPlanRequest(
                name, invocation.GetValue(full), invocation.GetValue(repository), invocation.GetValue(tags));
            return SyncCommand.CheckJobs([name], invocation)
                ? StoreCommand.RunAsync(
                    invocation,
                    client => PlanAsync(
                        client.SyncPlanAsync(request, stopping),
                        invocation.InvocationConfiguration,
                        invocation.GetValue(all),
                        invocation.GetValue(json)),
                    stopping)
                : Task.FromResult(ExitCode.Misused);
        });
        return plan;
    }

    private static async Task<int> PlanAsync(IAsyncEnumerable<SyncPlanLine> answer, InvocationConfiguration streams, bool showsAll, bool asJson)
    {
        SyncPlanned? plan = null;
        var images = new List<SyncPlannedImage>();
        await foreach (var line in answer)
        {
            plan = line.Plan ?? plan;
            images.AddRange(line.Image is { } image ? [image] : []);
        }

        if (plan is null)
        {
            throw new AdministrationException("the server broke off before it had answered all: its log may say why");
        }

        // Registries list tags in whatever order.
        images = [.. images.OrderBy(image => image.Repository, StringComparer.Ordinal).ThenBy(image => image.Tag, StringComparer.Ordinal)];
        if (asJson)
        {
            await streams.Output.WriteLineAsync(
                System.Text.Json.JsonSerializer.Serialize(new SyncPlanReport(plan, images), Messages.Json.SyncPlanReport));
        }
        else
        {
            await WriteAsync(plan, showsAll ? images : images.FindAll(image => !Quiet.Contains(image.Action, StringComparer.Ordinal)), streams.Output);
        }

        foreach (var fault in plan.Faults.Concat(plan.Notes))
        {
            await streams.Error.WriteLineAsync($"mirror: {Printable.Sentence(fault)}");
        }

        var isAll = plan.Failed == 0 && plan.Faults.Count == 0;
        return isAll ? ExitCode.Done : images.Exists(image => image.Action != "failed") ? ExitCode.Partly : ExitCode.Failed;
    }

    private static async Task WriteAsync(SyncPlanned plan, List<SyncPlannedImage> images, TextWriter output)
    {
        if (images.Count > 0)
        {
            var table = new TextTable(
                output, new Column("ACTION"), new Column("IMAGE"), new Column("TARGET"), new Column("SIZE", IsNumber: true), new Column("WHY"));
            foreach (var image in images)
            {
                await table.AddAsync(
                    image.Action,
                    NameOf(image.Repository, image.Tag),
                    NameOf(image.Target, image.Tag),
                    image.Bytes is { } bytes ? Bytes.Human(bytes) : "-",
                    Printable.Sentence(image.Why ?? ""));
            }

            await table.FlushAsync();
            await output.WriteLineAsync();
        }

        await output.WriteLineAsync(
            $"{plan.Job}: {plan.Copy} to copy, {plan.Update} to update, {plan.Delete} to delete, {plan.UpToDate} up to date, "
            + $"{plan.Keep} kept, {plan.Filtered} filtered, {plan.Failed} failed"
            + (plan.Copy + plan.Update > 0 && plan.Bytes is { } size ? $"; {Bytes.Human(size)} in all" : ""));
    }

    private static string NameOf(string repository, string? tag) => tag is null ? repository : $"{repository}:{tag}";
}
