using System.Formats.Tar;
using System.Text.Json.Nodes;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Images;

/// <summary>An OCI image layout on disk, from which an image or index gets into a registry.</summary>
internal sealed class ImageLayout : IDisposable
{
    private const string Name = "all";

    private readonly TemporaryDirectory _folder = new();

    /// <summary>The name by which skopeo reads it.</summary>
    public string Source => $"oci:{_folder.Path}:{Name}";

    /// <param name="root">The index or manifest that is pushed.</param>
    /// <param name="others">All that it refers to.</param>
    public async Task WriteAsync(TestBlob root, params IReadOnlyList<TestBlob> others)
    {
        var blobs = Directory.CreateDirectory(_folder.Combine("blobs", "sha256"));
        foreach (var blob in others.Append(root))
        {
            await File.WriteAllBytesAsync(Path.Combine(blobs.FullName, blob.Digest.Hex), blob.Content);
        }

        var named = BuiltImage.ToJson(root.Descriptor);
        named["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = Name };
        var index = new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(named) };
        await File.WriteAllTextAsync(_folder.Combine("oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
        await File.WriteAllTextAsync(_folder.Combine("index.json"), index.ToJsonString());
    }

    /// <summary>The same as an archive in one file.</summary>
    public Task WriteArchiveAsync(string file) => TarFile.CreateFromDirectoryAsync(_folder.Path, file, includeBaseDirectory: false);

    public async Task PushAsync(DistributionRegistry registry, RepositoryName repository, string tag)
    {
        string[] login = registry.Credentials is { } credentials ? ["--dest-creds", $"{credentials.Username}:{credentials.Password}"] : [];
        var push = await Command.RunAsync("skopeo",
        [
            "--insecure-policy", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", .. login,
            Source, $"docker://{registry.Host}/{repository}:{tag}",
        ]);
        push.Succeeded();
    }

    public void Dispose() => _folder.Dispose();
}
