using System.Net;
using System.Text.RegularExpressions;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>
/// Clients push as docs/clients.md says. Then the mirror is killed and started again, and what they have pushed is found, listed, pulled
/// under the digest that they were told, and deleted.
/// </summary>
[Collection(Clients.Name)]
public sealed partial class PushTests : IAsyncLifetime
{
    private const string Repository = "team/app";
    private const string Tag = "1.0";

    private readonly BuiltImage _image = BuiltImage.Of(
        new Platform("linux", DebianImage.Architecture), ["/nothing"], ImageLayer.OfFile("file", TestBlob.Bytes(1_000_000, seed: 7)));

    private readonly TemporaryDirectory _folder = new();
    private MirrorProcess _mirror = null!;

    private string Image => $"{_mirror.Host}/{Repository}:{Tag}";

    public async Task InitializeAsync() => _mirror = await MirrorProcess.StartAloneAsync();

    public async Task DisposeAsync()
    {
        await _mirror.DisposeAsync();
        _folder.Dispose();
    }

    [FactWith("dockerd", "docker", AsRoot = true)]
    public async Task Docker_pushes_an_image_finds_it_and_pulls_it_again()
    {
        await using var docker = await DockerDaemon.StartAsync(_mirror.Host);
        var archive = _folder.Combine("layer.tar.gz");
        await File.WriteAllBytesAsync(archive, _image.Layers[0].Blob.Content);
        (await docker.RunAsync("import", archive, "app:1.0")).Succeeded();
        var (tag, push, search) = ClientsPage.PushCommands("Docker", _mirror.Host) is [var a, var b, var c] ? (a, b, c) : default;

        await RunAsync(docker, tag);
        var pushed = Digest.Parse(PushedDigest().Match((await RunAsync(docker, push)).Output).Groups["digest"].Value);
        await KillAndStartAsync();

        Assert.Contains($"\n{Repository} ", (await RunAsync(docker, search)).Output, StringComparison.Ordinal);
        Assert.Equal(pushed, await DigestInMirrorAsync());
        (await docker.RunAsync("rmi", "app:1.0", Image)).Succeeded();
        Assert.Equal(pushed, await docker.PullAsync(Image));

        await DeleteAsync();
        AssertUnknown(await docker.RunAsync("pull", Image));
    }

    [FactWith("podman", "runc", AsRoot = true)]
    public async Task Podman_pushes_an_image_finds_and_lists_it_and_pulls_it_on_another_machine()
    {
        using var tools = await ContainerTools.SetUpAsync(_mirror.Host);
        await BuildAsync(tools, "podman");
        var (push, search, list) = ClientsPage.PushCommands("podman", _mirror.Host) is [var a, var b, var c] ? (a, b, c) : default;

        var pushed = await PushAsync(tools, push);
        await KillAndStartAsync();

        Assert.Contains($"{_mirror.Host}/{Repository}", (await tools.RunAsync(search)).Succeeded().Output, StringComparison.Ordinal);
        Assert.Matches($@"(?m)^{_mirror.Host}/{Repository}\s+{Tag}\s*$", (await tools.RunAsync(list)).Succeeded().Output);
        Assert.Equal(pushed, await DigestInMirrorAsync());
        using var other = await ContainerTools.SetUpAsync(_mirror.Host, ClientsPage.Pushing);
        Assert.Equal(pushed, await other.PodmanPullAsync(Image));

        await DeleteAsync();
        AssertUnknown(await other.PodmanAsync("pull", Image));
    }

    [FactWith("buildah", AsRoot = true)]
    public async Task Buildah_pushes_an_image_and_pulls_it_on_another_machine()
    {
        using var tools = await ContainerTools.SetUpAsync(_mirror.Host);
        await BuildAsync(tools, "buildah");

        var pushed = await PushAsync(tools, Assert.Single(ClientsPage.PushCommands("buildah", _mirror.Host)));
        await KillAndStartAsync();

        Assert.Equal(pushed, await DigestInMirrorAsync());
        using var other = await ContainerTools.SetUpAsync(_mirror.Host, ClientsPage.Pushing);
        Assert.Equal(pushed, await other.BuildahPullAsync(Image));

        await DeleteAsync();
        AssertUnknown(await other.BuildahAsync("pull", "--policy", "always", Image));
    }

    [FactWith("skopeo")]
    public async Task Skopeo_copies_an_image_here_lists_it_copies_it_from_here_and_deletes_it()
    {
        using var tools = await ContainerTools.SetUpAsync(_mirror.Host);
        using var layout = new ImageLayout();
        await layout.WriteAsync(_image.Manifest, [.. _image.Blobs]);
        var (copy, list, delete) = ClientsPage.PushCommands("skopeo", _mirror.Host) is [var a, var b, var c] ? (a, b, c) : default;

        Assert.Equal(_image.Digest, await PushAsync(tools, copy.Replace("oci:app:1.0", layout.Source, StringComparison.Ordinal)));
        await KillAndStartAsync();

        Assert.Contains($"\"{Tag}\"", (await tools.RunAsync(list)).Succeeded().Output, StringComparison.Ordinal);
        using var other = await ContainerTools.SetUpAsync(_mirror.Host, ClientsPage.Pushing);
        Assert.Equal(_image.Digest, await other.SkopeoCopyAsync(Image, other.Combine("copy")));

        (await tools.RunAsync(delete)).Succeeded();
        Assert.DoesNotContain(Tag, (await tools.RunAsync(list)).Succeeded().Output.Split('"'));
        Assert.Null(await DigestInMirrorAsync());
        await KillAndStartAsync();
        Assert.Null(await DigestInMirrorAsync());
    }

    /// <summary>Makes the image that the page pushes.</summary>
    private async Task BuildAsync(ContainerTools tools, string program)
    {
        await File.WriteAllBytesAsync(_folder.Combine("file"), TestBlob.Bytes(1_000_000, seed: 8));
        await File.WriteAllTextAsync(_folder.Combine("Containerfile"), "FROM scratch\nCOPY file /\n");
        (await tools.RunAsync($"{program} build --tag app:1.0 {_folder.Path}")).Succeeded();
    }

    /// <returns>The digest that the client says the image has here.</returns>
    private async Task<Digest> PushAsync(ContainerTools tools, string command)
    {
        var file = _folder.Combine("digest");
        (await tools.RunAsync(command, "--digestfile", file)).Succeeded();
        return Digest.Parse(await File.ReadAllTextAsync(file));
    }

    private static async Task<Command> RunAsync(DockerDaemon docker, string command)
    {
        var words = command.Split(' ');
        Assert.Equal("docker", words[0]);
        return (await docker.RunAsync(words[1..])).Succeeded();
    }

    private async Task KillAndStartAsync()
    {
        await _mirror.KillAsync();
        await _mirror.StartAsync();
    }

    /// <summary>The digest of what the tag really gives, or null where there is no such tag.</summary>
    private async Task<Digest?> DigestInMirrorAsync()
    {
        using var http = new HttpClient { BaseAddress = _mirror.Url };
        using var answer = await http.GetAsync($"/v2/{Repository}/manifests/{Tag}");
        return answer.StatusCode == HttpStatusCode.NotFound
            ? null
            : Digest.Sha256(await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync());
    }

    /// <summary>As the page says for clients that can not.</summary>
    private async Task DeleteAsync()
    {
        using var pusher = new HttpPusher(_mirror.Url);
        await pusher.DeleteAsync(Repository, Tag);
    }

    private static void AssertUnknown(Command pull)
    {
        Assert.NotEqual(0, pull.ExitCode);
        Assert.Contains("manifest unknown", pull.Error, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"digest: (?<digest>\S+) size: ", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PushedDigest();
}
