using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

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
        var root = new RootCommand("A pull-through caching mirror for container registries, a registry, and a replicator between registries.") { GlobalOptions.ConfigurationFile };
        foreach (var command in commands)
        {
            root.Subcommands.Add(command);
        }

        DetailedCommand.AddDetails(root);
        streams ??= new InvocationConfiguration { ProcessTerminationTimeout = Termination };
        var invocation = root.Parse(arguments);
        if (invocation.Action is not ParseErrorAction misused)
        {
            return await invocation.InvokeAsync(streams);
        }

        // Standard output is for answers. Who types the name alone wants to know what there is;
        // else the fault counts, which a page of help would hide.
        misused.ShowHelp = arguments.Length == 0;
        await invocation.InvokeAsync(new InvocationConfiguration { Output = streams.Error, Error = streams.Error });
        if (arguments.Length > 0)
        {
            await streams.Error.WriteLineAsync($"`{NameOf(invocation.CommandResult)} --help` says what it takes.");
        }

        return ExitCode.Misused;
    }

    private static string NameOf(SymbolResult? command) =>
        command is CommandResult { Parent: { } parent } named ? $"{NameOf(parent)} {named.Command.Name}" : "mirror";
}
