namespace Mirror.AcceptanceTests.Programs;

/// <summary>
/// A program that finds files of the test's where the machine has its own: it alone, for it has a mount namespace of its own. Only root can
/// have that.
/// </summary>
internal static class OtherFiles
{
    // Pairs of a file or folder and the place where it is found, then the program's words behind two dashes.
    private const string Script = """while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit; shift 2; done; shift; exec "$@" """;

    public const string Program = "unshare";

    /// <param name="program">What is run in the end.</param>
    /// <param name="arguments">The program's.</param>
    /// <param name="files">Each with the place of an existing file or folder.</param>
    public static IReadOnlyList<string> Arguments(
        string program, IEnumerable<string> arguments, IEnumerable<(string File, string Place)> files) =>
    [
        "--mount", "--propagation", "private", "sh", "-c", Script, "sh",
        .. files.SelectMany(pair => new[] { pair.File, pair.Place }), "--", program, .. arguments,
    ];
}
