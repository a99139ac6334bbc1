namespace Mirror.Replication;

/// <summary>Why a run was started, as it is remembered.</summary>
internal static class RunCause
{
    public const string Schedule = "schedule";

    public const string Command = "command";

    public const string Event = "event";
}
