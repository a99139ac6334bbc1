using System.CommandLine;
using System.CommandLine.Invocation;

namespace Mirror.Commands;

/// <summary>The program's command line: its commands under one root, and the exit code for what is none of them.</summary>
public static class CommandLine
{
    /// <summary>From a signal to the process's end, however the command is getting on: more than any command waits for by itself.</summary>
    private static readonly TimeSpan Termination = ServeCommand.Patience + TimeSpan.FromSeconds(15);

    /// <param name="commands">What can be done.</param>
    /// <param name="arguments">What is to be done.</param>
    /// <param name="streams">Standard output and error; null for the process's own.</param>
    public static async Task<int> RunAsync(IEnumerable<Command> commands, string[] arguments, InvocationConfiguration? streams = null)
    {
        var root = new RootCommand("A pull-through caching mirror for container registries.") { GlobalOptions.ConfigurationFile };
        foreach (var command in commands)
        {
            root.Subcommands.Add(command);
        }

        var invocation = root.Parse(arguments);
        var code = await invocation.InvokeAsync(streams ?? new InvocationConfiguration { ProcessTerminationTimeout = Termination });
        return invocation.Action is ParseErrorAction ? ExitCode.Misused : code;
    }
}
