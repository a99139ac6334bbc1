using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>A system call of a program that was traced.</summary>
/// <param name="Name">As strace has it.</param>
/// <param name="Arguments">All of them, with the path that each file descriptor stands for behind it.</param>
/// <param name="Began">Its place among all beginnings and ends.</param>
/// <param name="Ended">The same, for its end.</param>
internal sealed record SystemCall(string Name, string Arguments, int Began, int Ended);

/// <summary>What strace has seen.</summary>
internal static partial class SystemCalls
{
    private const RegexOptions Style = RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking;

    private const string Traced = "trace=fsync,fdatasync,rename,renameat,renameat2,pwrite64,pwritev,pread64,sendfile,sendto,sendmsg,mkdir";

    /// <summary>
    /// What stands before the program: strace then runs beside it and not above it, so that it is killed like any other, and stops it for
    /// these calls only.
    /// </summary>
    /// <param name="file">Gets the calls.</param>
    /// <param name="failing">Which of them fail, and how, in strace's words; null for none.</param>
    public static IReadOnlyList<string> Options(string file, string? failing) =>
        ["-D", "-f", "--seccomp-bpf", "-y", "-s", "64", "-e", Traced, .. failing is null ? Array.Empty<string>() : ["-e", $"inject={failing}"], "-o", file];

    /// <summary>Whether this machine lets one program trace another.</summary>
    public static bool CanBeTraced()
    {
        using var strace = Process.Start(new ProcessStartInfo("strace", ["-o", "/dev/null", "true"])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        })!;
        strace.StandardError.ReadToEnd();
        strace.WaitForExit();
        return strace.ExitCode == 0;
    }

    /// <summary>Whether a call is about an open file.</summary>
    public static bool IsOf(SystemCall call, string path) => call.Arguments.Contains($"<{path}>", StringComparison.Ordinal);

    /// <summary>Reads the calls that had ended when the file was read, in the order of their ends.</summary>
    public static async Task<IReadOnlyList<SystemCall>> ReadAsync(string file)
    {
        var lines = await File.ReadAllLinesAsync(file);
        var unfinished = new Dictionary<string, (int Began, string Text)>();
        var calls = new List<SystemCall>();
        for (var number = 0; number < lines.Length; number++)
        {
            var (thread, text) = lines[number].Split(' ', 2) is [var id, var call] ? (id, call.Trim()) : ("", "");
            if (Unfinished().Match(text) is { Success: true } begun)
            {
                unfinished[thread] = (number, begun.Groups["call"].Value);
                continue;
            }

            var began = number;
            if (Resumed().Match(text) is { Success: true } resumed && unfinished.Remove(thread, out var first))
            {
                (began, text) = (first.Began, first.Text + resumed.Groups["rest"].Value);
            }

            if (Whole().Match(text) is { Success: true } whole)
            {
                calls.Add(new SystemCall(whole.Groups["name"].Value, whole.Groups["arguments"].Value, began, number));
            }
        }

        return calls;
    }

    [GeneratedRegex(@"^(?<call>.*) <unfinished \.\.\.>$", Style)]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"^<\.\.\. \w+ resumed>(?<rest>.*)$", Style)]
    private static partial Regex Resumed();

    [GeneratedRegex(@"^(?<name>\w+)\((?<arguments>.*)\)\s*= \d+$", Style)]
    private static partial Regex Whole();
}
