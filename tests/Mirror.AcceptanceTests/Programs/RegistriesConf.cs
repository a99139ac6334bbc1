using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>What users of podman, skopeo and their kin write to make Mirror the mirror of Docker Hub.</summary>
internal static class RegistriesConf
{
    /// <returns>The file's path.</returns>
    public static async Task<string> WriteAsync(TemporaryDirectory folder, MirrorProcess mirror)
    {
        var file = folder.Combine("registries.conf");
        await File.WriteAllTextAsync(file, $"""
            [[registry]]
            prefix = "docker.io"
            location = "docker.io"

            [[registry.mirror]]
            location = "{mirror.Host}/docker.io"
            insecure = true
            """);
        return file;
    }
}
