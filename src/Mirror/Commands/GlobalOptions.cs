using System.Collections;
using System.CommandLine;
using Mirror.Configuration;

namespace Mirror.Commands;

/// <summary>The options that every command has.</summary>
public static class GlobalOptions
{
    public static Option<string?> ConfigurationFile { get; } = new("--config", "-c")
    {
        Description = "The configuration file. Without it: ./mirror.yml, then /etc/mirror/mirror.yml, then the embedded default.",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>The configuration that this invocation asks for; null when it has faults, which are then on standard error.</summary>
    public static ConfigurationAnswer.Loaded? FindConfiguration(ParseResult invocation)
    {
        var answer = Configuration.ConfigurationFile.Load(
            invocation.GetValue(ConfigurationFile), Directory.GetCurrentDirectory(), EnvironmentVariables());
        if (answer is ConfigurationAnswer.Refused refused)
        {
            foreach (var fault in refused.Faults)
            {
                invocation.InvocationConfiguration.Error.WriteLine(fault);
            }
        }

        return answer as ConfigurationAnswer.Loaded;
    }

    public static IReadOnlyDictionary<string, string> EnvironmentVariables() => Environment.GetEnvironmentVariables()
        .Cast<DictionaryEntry>()
        .ToDictionary(v => (string)v.Key, v => (string?)v.Value ?? string.Empty);
}
