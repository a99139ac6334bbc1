namespace Mirror.Sync.State;

/// <summary>Which runs are kept: a job's last ones that are not old, and the very last however old it is.</summary>
internal static class RunHistory
{
    public const int MostPerJob = 1000;

    /// <summary>What is said of a run that nobody has ended.</summary>
    public const string Interrupted = "the program ended before the run did; when, was not noted, so the end given here is the next start";

    public static readonly TimeSpan Kept = TimeSpan.FromDays(90);
}
