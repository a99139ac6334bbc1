using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror sync</c>: the jobs that copy between registries.</summary>
public static class SyncCommand
{
    public static Command Create() => new("sync", "Copy repositories between registries, as the configured jobs say.")
    {
        SyncListCommand.Create(),
        SyncPlanCommand.Create(),
        SyncRunCommand.Create(),
        SyncStatusCommand.Create(),
        SyncHistoryCommand.Create(),
        SyncStopCommand.Create(),
    };

    internal static Option<bool> Full() => new("--full")
    {
        Description = "Ask the target for everything, whatever is remembered, and the source for referrers again.",
    };

    internal static Option<string?> Repository() => new("--repository")
    {
        Description = "Only this repository, by its full name at the source.",
        HelpName = "NAME",
    };

    internal static Option<string[]> Tags() => new("--tag")
    {
        Description = "Only this tag of the repository; may be given several times.",
        HelpName = "TAG",
    };

    /// <summary>Says on standard error which of these names are no job's.</summary>
    /// <returns>Whether all are.</returns>
    internal static bool CheckJobs(IEnumerable<string> names, ParseResult invocation)
    {
        if (GlobalOptions.FindConfiguration(invocation) is not { } loaded)
        {
            return false;
        }

        var jobs = loaded.Configuration.Sync.Jobs.Select(job => job.Name).ToList();
        var unknown = names.Where(name => !jobs.Contains(name, StringComparer.Ordinal)).ToList();
        foreach (var name in unknown)
        {
            var advice = NearestName.Find(name, jobs) is { } nearest ? $"did you mean {nearest}?"
                : jobs.Count > 0 ? $"there are {string.Join(", ", jobs)}"
                : $"none is configured in {loaded.Source}: add it below sync.jobs";
            invocation.InvocationConfiguration.Error.WriteLine($"mirror: there is no job {Printable.Quote(name)}: {advice}");
        }

        return unknown.Count == 0;
    }

    /// <summary>What is said where there is no job.</summary>
    internal const string None = "No job is configured: add one below sync.jobs in mirror.yml.";

    /// <summary>When a job runs next, for people.</summary>
    /// <param name="job">How it stands with it.</param>
    /// <param name="isOwn">Whether no server runs, and so nothing on schedule.</param>
    internal static string Next(SyncJobStatus job, bool isOwn) => isOwn && job.Next is not null ? "no server runs" : Time(job.Next);

    /// <summary>A time for people, or a dash.</summary>
    internal static string Time(DateTimeOffset? time) => time is { } at ? $"{at.UtcDateTime:yyyy-MM-dd HH:mm:ss}" : "-";
}
