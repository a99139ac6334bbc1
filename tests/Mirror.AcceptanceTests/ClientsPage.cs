namespace Mirror.AcceptanceTests;

/// <summary>docs/clients.md, whose settings the tests give to clients as they are printed there.</summary>
internal static class ClientsPage
{
    /// <summary>The section about pushing.</summary>
    public const string Pushing = "Pushing";

    private const string PrintedMirror = "127.0.0.1:5000";
    private const string LoggingIn = "Logging in";
    private const string PrintedSecureMirror = "mirror.example.com";

    /// <summary>What the page tells people to write, with the mirror's address in place of the printed one.</summary>
    /// <param name="section">Its heading.</param>
    /// <param name="file">The setting's file, which is named at the end of the sentence before it.</param>
    /// <param name="mirror"><c>host:port</c>.</param>
    public static string Setting(string section, string file, string mirror) =>
        string.Join('\n', Block(section, $"in `{file}`:", PrintedMirror, mirror).Append(""));

    /// <summary>What the page tells people to type for pushing, with the mirror's address in place of the printed one.</summary>
    /// <param name="client">Named at the end of the sentence before them.</param>
    /// <param name="mirror"><c>host:port</c>.</param>
    public static IReadOnlyList<string> PushCommands(string client, string mirror) =>
        Block(Pushing, $"with {client}:", PrintedMirror, mirror);

    /// <summary>What the page tells people to type who log in, with the mirror's address in place of the printed one.</summary>
    /// <param name="client">Named at the end of the sentence before them.</param>
    /// <param name="mirror"><c>host:port</c>.</param>
    public static IReadOnlyList<string> LoginCommands(string client, string mirror) =>
        Block(LoggingIn, $"with {client}:", PrintedSecureMirror, mirror);

    /// <summary>What the page tells people to write for a mirror where they log in.</summary>
    /// <param name="file">The setting's file, which is named at the end of the sentence before it.</param>
    /// <param name="mirror"><c>host:port</c>.</param>
    public static string LoginSetting(string file, string mirror) =>
        string.Join('\n', Block(LoggingIn, $"in `{file}`:", PrintedSecureMirror, mirror).Append(""));

    private static List<string> Block(string section, string introduction, string printed, string mirror)
    {
        var lines = File.ReadLines(ProjectFile.Locate("docs", "clients.md"))
            .SkipWhile(line => line != $"## {section}").Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))
            .SkipWhile(line => !line.EndsWith(introduction, StringComparison.OrdinalIgnoreCase))
            .SkipWhile(line => !line.StartsWith("```", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(line => !line.StartsWith("```", StringComparison.Ordinal)).ToList();
        Assert.Contains(lines, line => line.Contains(printed, StringComparison.Ordinal));
        return lines.ConvertAll(line => line.Replace(printed, mirror, StringComparison.Ordinal));
    }
}
