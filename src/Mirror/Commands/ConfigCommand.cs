using System.CommandLine;
using Mirror.Configuration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror config</c>: what the configuration is, and whether it is right.</summary>
public static class ConfigCommand
{
    public static Command Create()
    {
        var check = new Command("check", "Read the configuration and list every fault in it, each with its place and what to write. "
            + "Exits with 0 if there is none and 2 otherwise.");
        check.SetAction(invocation => WithConfiguration(invocation, loaded => $"{loaded.Source}: ok\n"));

        var show = new Command("show", "Print the configuration that holds, as YAML: the file's values, those from the environment, "
            + "and defaults. Passwords are not shown.");
        show.SetAction(invocation => WithConfiguration(invocation, loaded => loaded.ToYaml()));

        var schema = new Command("schema", "Print a JSON schema of mirror.yml, for editors.");
        schema.SetAction(invocation =>
        {
            invocation.InvocationConfiguration.Output.WriteLine(ConfigurationReader.Schema());
            return ExitCode.Done;
        });

        return new Command("config", "Check, show or describe the configuration.") { check, show, schema, ConfigAdoptCommand.Create() };
    }

    private static int WithConfiguration(ParseResult invocation, Func<ConfigurationAnswer.Loaded, string> text)
    {
        if (GlobalOptions.FindConfiguration(invocation) is not { } loaded)
        {
            return ExitCode.Misused;
        }

        invocation.InvocationConfiguration.Output.Write(text(loaded));
        return ExitCode.Done;
    }
}
