using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Mirror.Commands;

/// <summary>A command that is described in one line among the others, and in detail in its own help.</summary>
/// <param name="name">As it is typed.</param>
/// <param name="description">One line.</param>
/// <param name="details">Some lines, none of them long.</param>
internal sealed class DetailedCommand(string name, string description, string details) : Command(name, description)
{
    private string Details { get; } = details;

    /// <summary>Has a root's help end with the details of the command that it is about.</summary>
    public static void AddDetails(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Action = new Help((HelpAction)option.Action!);
        }
    }

    private sealed class Help(HelpAction standard) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult invocation)
        {
            var code = standard.Invoke(invocation);
            if (invocation.CommandResult.Command is DetailedCommand command)
            {
                invocation.InvocationConfiguration.Output.WriteLine($"{command.Details}\n");
            }

            return code;
        }
    }
}
