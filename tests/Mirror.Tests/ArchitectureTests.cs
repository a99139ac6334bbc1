using System.Text.RegularExpressions;

namespace Mirror.Tests;

/// <summary>What the compiler does not check: which folder may know which, and that the documents speak of what exists.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>A folder of the program, and those it may use beside the values of Mirror.Oci.</summary>
    private static readonly Dictionary<string, string[]> MayUse = new()
    {
        ["Storage"] = [],
        ["Observability"] = ["Configuration", "Storage"],
        ["Configuration"] = ["Configuration.Reading", "Sync.Jobs", "Sync.Scheduling"],
        ["Caching"] = ["Observability", "Oci.Remote", "Storage"],
        ["Local"] = ["Storage"],
        ["Access"] = ["Access.Tokens", "Caching", "Configuration", "Configuration.Reading", "Oci.Remote", "Storage"],
        ["Registry"] = ["Access", "Caching", "Configuration", "Listening", "Local", "Observability", "Oci.Remote", "Storage"],
        ["Adoption"] = ["Local", "Storage"],
        ["Replication"] =
        [
            "Caching", "Configuration", "Local", "Oci.Remote", "Storage",
            "Sync.Jobs", "Sync.LiteDb", "Sync.Planning", "Sync.Replication", "Sync.Repositories", "Sync.Scheduling", "Sync.State",
        ],
        ["Administration"] = ["Access", "Adoption", "Caching", "Configuration", "Local", "Oci.Remote", "Registry", "Replication", "Storage", "Sync.Jobs", "Sync.Planning", "Sync.Replication", "Sync.State"],
        ["Listening"] = ["Configuration", "Configuration.Reading"],
        ["Upkeep"] = ["Local", "Storage"],
        ["Demo"] = ["Configuration", "Oci.Remote", "Registry"],
    };

    [Fact]
    public void A_folder_uses_only_those_below_it()
    {
        foreach (var (folder, allowed) in MayUse)
        {
            var used = Directory.EnumerateFiles(Path.Combine(Root, "src", "Mirror", folder), "*.cs", SearchOption.AllDirectories)
                .SelectMany(file => UsingMirror().Matches(File.ReadAllText(file)).Select(match => match.Groups["folder"].Value))
                .Distinct()
                .Except(["Oci", folder])
                .Except(allowed);

            Assert.True(!used.Any(), $"{folder} uses {string.Join(", ", used)}");
        }
    }

    [Fact]
    public void The_specifications_values_know_neither_the_program_nor_a_web_server()
    {
        var oci = typeof(Oci.Digest).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name);

        Assert.DoesNotContain(oci, name => name!.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal) || name == "mirror");
    }

    [Fact]
    public void Replication_knows_the_specifications_values_and_neither_the_program_nor_a_web_server()
    {
        var sync = typeof(Sync.Jobs.SyncJob).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name).ToList();

        Assert.Contains("Mirror.Oci", sync);
        Assert.All(
            sync, name => Assert.True(name is "Mirror.Oci" or "Microsoft.Data.Sqlite" || name!.StartsWith("System.", StringComparison.Ordinal), name));
    }

    [Fact]
    public void Every_test_that_the_architecture_page_names_exists()
    {
        var tests = string.Concat(
            Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        var named = TestName().Matches(File.ReadAllText(Path.Combine(Root, "docs", "architecture.md"))).Select(match => match.Groups["name"].Value).ToList();

        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains($" {name}(", tests, StringComparison.Ordinal));
    }

    /// <summary>The checkout: the first folder above the tests that has the solution.</summary>
    private static string Root { get; } = FindRoot(new DirectoryInfo(AppContext.BaseDirectory));

    private static string FindRoot(DirectoryInfo folder) =>
        File.Exists(Path.Combine(folder.FullName, "Mirror.slnx")) ? folder.FullName : FindRoot(folder.Parent!);

    [GeneratedRegex(@"^using Mirror\.(?<folder>[\w.]+);", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UsingMirror();

    [GeneratedRegex(@"`(?<name>[A-Z][a-zA-Z0-9]*(_[a-zA-Z0-9]+){2,})`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TestName();
}
