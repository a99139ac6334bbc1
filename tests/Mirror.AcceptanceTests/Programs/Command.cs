using System.Diagnostics;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>A program that was run to its end.</summary>
/// <param name="Line">What was run.</param>
/// <param name="ExitCode">What it said at its end.</param>
/// <param name="Output">Standard output, to the byte.</param>
/// <param name="Error">Standard error.</param>
internal sealed record Command(string Line, int ExitCode, string Output, string Error)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LongLimit = TimeSpan.FromMinutes(20);

    /// <exception cref="TimeoutException">It did not end within a minute; it was killed.</exception>
    public static Task<Command> RunAsync(
        string program, IReadOnlyList<string> arguments, params IReadOnlyList<(string Name, string Value)> environment) =>
        RunWithAsync("", program, arguments, environment);

    /// <summary>The same with something on standard input.</summary>
    public static Task<Command> RunWithAsync(
        string input, string program, IReadOnlyList<string> arguments, params IReadOnlyList<(string Name, string Value)> environment) =>
        RunAsync(Limit, input, program, arguments, environment);

    /// <summary>The same for what takes minutes.</summary>
    public static Task<Command> RunLongAsync(
        string program, IReadOnlyList<string> arguments, params IReadOnlyList<(string Name, string Value)> environment) =>
        RunAsync(LongLimit, "", program, arguments, environment);

    /// <summary>The same, or a failed test that shows what the program said.</summary>
    public Command Succeeded()
    {
        Assert.True(ExitCode == 0, ToString());
        return this;
    }

    public override string ToString() => $"{Line}: exit code {ExitCode}\n{Output}{Error}";

    private static async Task<Command> RunAsync(
        TimeSpan limit, string input, string program, IReadOnlyList<string> arguments, IReadOnlyList<(string Name, string Value)> environment)
    {
        using var process = new Process { StartInfo = new ProcessStartInfo(program, arguments) { UseShellExecute = false } };
        process.StartInfo.RedirectStandardInput = true;
        process.StartInfo.RedirectStandardOutput = true;
        process.StartInfo.RedirectStandardError = true;
        foreach (var (name, value) in environment)
        {
            process.StartInfo.Environment[name] = value;
        }

        process.Start();
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended without reading it.
        }

        var line = string.Join(' ', arguments.Prepend(program));
        using var timeout = new CancellationTokenSource(limit, TimeProvider.System);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{line}: still runs after {limit.TotalSeconds} seconds.\n{await output}{await error}", e);
        }

        return new Command(line, process.ExitCode, await output, await error);
    }
}
