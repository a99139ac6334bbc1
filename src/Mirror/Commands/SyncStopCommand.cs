using System.CommandLine;
using Mirror.Administration;

namespace Mirror.Commands;

/// <summary><c>mirror sync stop</c>: ends runs that go on.</summary>
internal static class SyncStopCommand
{
    public static Command Create()
    {
        var jobs = new Argument<string[]>("JOB") { Description = "Whose run.", Arity = ArgumentArity.OneOrMore };
        var stop = new DetailedCommand(
            "stop",
            "Stop runs that go on in the server.",
            """
            What a run has copied stays, and the next run does the rest. The schedule goes on.

            Exits with 0, also where nothing was running, and 1 if the server can not be asked.
            """)
        { jobs };
        stop.SetAction((invocation, stopping) =>
        {
            var names = invocation.GetValue(jobs)!;
            return SyncCommand.CheckJobs(names, invocation)
                ? StoreCommand.RunAsync(
                    invocation,
                    client => StopAsync(
                        client.SyncStopAsync(new SyncStopRequest(names), stopping), invocation.InvocationConfiguration.Output),
                    stopping)
                : Task.FromResult(ExitCode.Misused);
        });
        return stop;
    }

    private static async Task<int> StopAsync(IAsyncEnumerable<SyncStopped> answer, TextWriter output)
    {
        await foreach (var stopped in answer)
        {
            await output.WriteLineAsync($"{stopped.Job}: {(stopped.WasRunning ? "stopped" : "was not running")}");
        }

        return ExitCode.Done;
    }
}
