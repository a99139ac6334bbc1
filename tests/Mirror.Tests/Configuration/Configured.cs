using Mirror.Configuration;
using Mirror.Configuration.Reading;

namespace Mirror.Tests.Configuration;

/// <summary>Configurations read from text, as if it stood in <c>/srv/mirror.yml</c>.</summary>
internal static class Configured
{
    public static ConfigurationAnswer Read(string yaml, params (string Name, string Value)[] environment) =>
        ConfigurationReader.Read(yaml, "mirror.yml", "/srv", environment.ToDictionary(v => v.Name, v => v.Value));

    public static ConfigurationAnswer.Loaded Load(string yaml, params (string Name, string Value)[] environment)
    {
        var answer = Read(yaml, environment);
        Assert.True(answer is ConfigurationAnswer.Loaded, answer is ConfigurationAnswer.Refused r ? string.Join('\n', r.Faults) : null);
        return (ConfigurationAnswer.Loaded)answer;
    }

    /// <summary>The one registry of a text with these lines below <c>registry.example.com</c>.</summary>
    public static RegistryOptions OneRegistry(string lines, params (string Name, string Value)[] environment) =>
        Assert.Single(Load($"registries:\n  registry.example.com: {{ {lines} }}", environment).Configuration.Registries);

    /// <summary>The one fault that a text has.</summary>
    public static string Fault(string yaml, params (string Name, string Value)[] environment) => Assert.Single(Faults(yaml, environment));

    public static string[] Faults(string yaml, params (string Name, string Value)[] environment) =>
        [.. Assert.IsType<ConfigurationAnswer.Refused>(Read(yaml, environment)).Faults.Select(f => f.ToString())];
}
