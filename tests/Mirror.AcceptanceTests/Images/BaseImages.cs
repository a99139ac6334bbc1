using System.Collections;
using System.Runtime.InteropServices;
using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Images;

/// <summary>
/// What the Dockerfile builds on, made on this machine: a small Debian of this machine's release, and the same with the .NET SDK that runs the
/// tests. The second one trusts whom this machine trusts and gets packages where this machine's user gets them.
/// </summary>
internal static class BaseImages
{
    public const string Sdk = "base:sdk";
    public const string Runtime = "base:runtime";

    private const string SystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    public static async Task ImportAsync(DockerDaemon docker)
    {
        using var folder = new TemporaryDirectory();
        var root = folder.Combine("root");
        (await Command.RunLongAsync("debootstrap", ["--variant=minbase", "--include=ca-certificates", Release(), root])).Succeeded();
        var archive = folder.Combine("image.tar");
        (await Command.RunAsync("tar", ["-cf", archive, "-C", root, "."])).Succeeded();
        (await docker.RunAsync("import", archive, Runtime)).Succeeded();

        var sdk = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));
        string[] added =
        [
            .. new[]
            {
                sdk,
                "/etc/ssl/certs",
                "/usr/local/share/ca-certificates",
                Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/NuGet"),
            }.Where(Directory.Exists),
        ];
        string[] archived =
        [
            // An archive that has a file twice is refused.
            "-cf", archive, "-C", root, .. added.Select(path => $"--exclude=.{path}"), ".", "-C", "/", .. added.Select(path => path.TrimStart('/')),
        ];
        (await Command.RunAsync("tar", archived)).Succeeded();
        string[] variables = [$"PATH={sdk}:{SystemPath}", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1", .. Variables()];
        (await docker.RunAsync(["import", .. variables.SelectMany(variable => (string[])["--change", $"ENV {variable}"]), archive, Sdk])).Succeeded();
    }

    private static string Release() => File.ReadLines("/etc/os-release")
        .Where(line => line.StartsWith("VERSION_CODENAME=", StringComparison.Ordinal))
        .Select(line => line.Split('=')[1].Trim('"'))
        .Single();

    /// <summary>How packages are had here.</summary>
    private static IEnumerable<string> Variables() => Environment.GetEnvironmentVariables()
        .Cast<DictionaryEntry>()
        .Where(variable => ((string)variable.Key).StartsWith("NUGET_", StringComparison.Ordinal))
        .Select(variable => $"{variable.Key}={variable.Value}");
}
