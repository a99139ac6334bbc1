namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// Clients go round a mirror that does not answer as they like it, and nobody notices. Here they can not: all that is not on this machine
/// lies behind a proxy that is not there.
/// </summary>
internal static class NoWayOut
{
    /// <summary>The names below this one are the test's, where the program finds them to be on this machine.</summary>
    public const string Domain = "mirror.example.com";

    public static IReadOnlyList<(string Name, string Value)> Environment { get; } =
        [("HTTPS_PROXY", "http://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", $"127.0.0.1,{Domain}")];
}
