using System.Runtime.InteropServices;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Images;

/// <summary>
/// An index of two images. One is for this machine, with a layer for each of the packages that a Debian shell consists of: it runs, and
/// says <see cref="Says"/>, only if every layer is what it should be. The other is for a machine that is not here.
/// </summary>
public sealed class DebianImage : IAsyncLifetime
{
    public const string Says = "it runs";

    private readonly ImageLayout _layout = new();
    private BuiltImage? _here;
    private BuiltImage? _elsewhere;
    private TestBlob? _index;

    internal static RepositoryName Repository { get; } = RepositoryName.Parse("library/mirror-acceptance");

    internal static string Tag => "1.0";

    /// <summary>As a user of the Docker daemon writes it.</summary>
    internal static string ShortName => $"mirror-acceptance:{Tag}";

    internal BuiltImage Here => _here!;

    internal BuiltImage Elsewhere => _elsewhere!;

    internal Digest Index => _index!.Digest;

    /// <summary>Digests of all blobs that a pull for this machine needs.</summary>
    internal IEnumerable<Digest> BlobsHere => Here.Blobs.Select(blob => blob.Digest);

    /// <summary>This machine's, as Go names it.</summary>
    internal static string Architecture =>
        RuntimeInformation.ProcessArchitecture is System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    public async Task InitializeAsync()
    {
        if (!FactWithAttribute.IsInPath("dpkg-query"))
        {
            return; // The tests that would use it are skipped.
        }

        _here = BuiltImage.Of(
            new Platform("linux", Architecture),
            ["/bin/bash", "-c", $"test -s /etc/debian_version && echo {Says}"],
            ImageLayer.OfRoot(),
            await ImageLayer.OfPackagesAsync("base-files"),
            await ImageLayer.OfPackagesAsync("libc6"),
            await ImageLayer.OfPackagesAsync("libtinfo6"),
            await ImageLayer.OfPackagesAsync("bash"));
        _elsewhere = BuiltImage.Of(
            new Platform("linux", Architecture == "amd64" ? "arm64" : "amd64"),
            ["/elsewhere"],
            ImageLayer.OfFile("elsewhere", TestBlob.Bytes(1_000_000, seed: 1)),
            ImageLayer.OfFile("far/elsewhere", TestBlob.Bytes(200_000, seed: 2)));
        _index = BuiltImage.IndexOf(_here, _elsewhere);
        await _layout.WriteAsync(_index, [.. Here.AllBlobs, .. Elsewhere.AllBlobs]);
    }

    public Task DisposeAsync()
    {
        _layout.Dispose();
        return Task.CompletedTask;
    }

    /// <summary>Puts index and images into a registry.</summary>
    internal Task PushAsync(DistributionRegistry registry) => _layout.PushAsync(registry, Repository, Tag);
}
