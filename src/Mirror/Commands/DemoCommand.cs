using System.CommandLine;
using Mirror.Demo;
using Mirror.Storage;

namespace Mirror.Commands;

/// <summary><c>mirror demo</c>: what the program is for, shown on this machine alone.</summary>
public static class DemoCommand
{
    /// <param name="temporaryFolder">Where it makes, and removes, a folder of its own; null for the system's place for such.</param>
    public static Command Create(string? temporaryFolder = null)
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON document instead of progress and a table." };
        var demo = new DetailedCommand(
            "demo",
            "Show what a mirror does, without a network.",
            """
            With an upstream registry, a mirror of it and clients in this process, an image of 32 MiB is pulled cold, warm,
            by eight clients at once, and with upstream stopped. Prints what each cost upstream. Takes a few seconds, and
            64 MiB in a temporary folder that is removed at the end; reads no configuration.

            Exits with 0 if every pull was right and 1 otherwise.
            """)
        { json };
        demo.SetAction((invocation, stopping) => RunAsync(
            invocation.InvocationConfiguration, invocation.GetValue(json), temporaryFolder ?? Path.GetTempPath(), stopping));
        return demo;
    }

    private static async Task<int> RunAsync(
        InvocationConfiguration streams, bool json, string temporaryFolder, CancellationToken stopping)
    {
        var progress = json ? TextWriter.Null : streams.Output;
        try
        {
            var folder = Directory.CreateDirectory(Path.Combine(temporaryFolder, $"mirror-demo-{Guid.NewGuid():N}"));
            try
            {
                var report = await Demonstration.RunAsync(folder.FullName, progress, TimeProvider.System, stopping);
                await streams.Output.WriteAsync(json ? $"{report.ToJson()}\n" : $"\n{report.ToText()}");
                return ExitCode.Done;
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await streams.Error.WriteLineAsync("mirror: the demonstration was interrupted");
        }
        catch (DemoPullException e)
        {
            await streams.Error.WriteLineAsync($"mirror: a pull went wrong: {e.Message}");
        }
        catch (Exception e) when (e is StoreException or IOException or UnauthorizedAccessException)
        {
            await streams.Error.WriteLineAsync($"mirror: {e.Message}");
        }

        return ExitCode.Failed;
    }
}
