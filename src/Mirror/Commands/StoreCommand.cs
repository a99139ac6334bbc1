using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration;
using Mirror.Storage;

namespace Mirror.Commands;

/// <summary>What all commands have in common that ask about the store or change it.</summary>
internal static class StoreCommand
{
    private const int MaxTries = 3;

    public static Option<bool> Json() => new("--json") { Description = "Print JSON instead of text." };

    /// <summary>Finds or is the server, and turns what goes wrong into a line on standard error.</summary>
    /// <param name="invocation">The command's.</param>
    /// <param name="ask">Asks, prints, and answers with the exit code.</param>
    /// <param name="stopping">Ends it.</param>
    public static async Task<int> RunAsync(ParseResult invocation, Func<AdministrationClient, Task<int>> ask, CancellationToken stopping)
    {
        if (GlobalOptions.FindConfiguration(invocation) is not { } loaded)
        {
            return ExitCode.Misused;
        }

        var errors = invocation.InvocationConfiguration.Error;
        try
        {
            return await RunAsync(loaded.Configuration, ask, errors, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await errors.WriteLineAsync("mirror: interrupted");
        }
        catch (StoreException e)
        {
            await errors.WriteLineAsync($"mirror: {e.Message} (storage.path, or MIRROR_STORAGE__PATH)");
        }
        catch (Exception e) when (e is AdministrationException or IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync($"mirror: {e.Message}");
        }

        return ExitCode.Failed;
    }

    private static async Task<int> RunAsync(
        MirrorConfiguration configuration, Func<AdministrationClient, Task<int>> ask, TextWriter errors, CancellationToken stopping)
    {
        for (var tries = 1; ; tries++)
        {
            await using var session = await ServerSession.OpenAsync(configuration, TimeProvider.System, stopping);
            try
            {
                return await ask(session.Client);
            }
            catch (ServerGoneException) when (tries < MaxTries)
            {
                // It was there a moment ago: a command that has ended, or a server that is being restarted.
            }
            finally
            {
                await WaitForOthersAsync(session, errors, stopping);
            }
        }
    }

    private static async Task WaitForOthersAsync(ServerSession session, TextWriter errors, CancellationToken stopping)
    {
        try
        {
            await session.WaitForOthersAsync(
                () => errors.WriteLine("mirror: waiting for what else goes on here, other commands or jobs that copy what was pushed; interrupting this one ends that too"),
                stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await errors.WriteLineAsync("mirror: what else went on here, other commands or jobs, is broken off: start it again");
        }
    }
}
