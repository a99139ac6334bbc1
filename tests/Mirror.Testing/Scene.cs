using Mirror.Configuration;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>What most tests need: an upstream with one image, and a mirror in front of it.</summary>
public sealed class Scene : IAsyncDisposable
{
    public const string Tag = "3.20";

    private Scene(FakeRegistry upstream, MirrorHost mirror, TestImage image)
    {
        Upstream = upstream;
        Mirror = mirror;
        Image = image;
    }

    public static RepositoryName Repository { get; } = RepositoryName.Parse("library/alpine");

    public FakeRegistry Upstream { get; }

    public MirrorHost Mirror { get; }

    public TestImage Image { get; }

    public TestBlob Layer => Image.Layer;

    public string TagPath => ManifestPath(Tag);

    public string LayerPath => BlobPath(Image.Layer.Digest);

    /// <param name="layers">How many the image has.</param>
    /// <param name="layerSize">Of each, in bytes.</param>
    /// <param name="configure">Changes what the mirror is told of the upstream.</param>
    public static async Task<Scene> StartAsync(
        int layers = 1, int layerSize = 300_000, Func<RegistryOptions, RegistryOptions>? configure = null)
    {
        var image = TestImage.Create(layers, layerSize, seed: 1);
        var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, Tag);
        return new Scene(upstream, await MirrorHost.StartAsync(upstream, configure), image);
    }

    public static string ManifestPath(string reference) => $"/v2/{Repository}/manifests/{reference}";

    public static string BlobPath(Digest digest) => $"/v2/{Repository}/blobs/{digest}";

    /// <summary>The client's own view: one whole answer, and whether its connection ended as it should.</summary>
    public Task<RawResponse> GetRawAsync(string path, params IReadOnlyList<string> headers) => RawHttp.GetAsync(Mirror.Url, path, headers);

    /// <summary>Pulls as a client does, tag first, and fails unless everything is right.</summary>
    public async Task PullAsync()
    {
        await GetExactlyAsync(TagPath, Image.Manifest);
        foreach (var blob in Image.Blobs)
        {
            await GetExactlyAsync(BlobPath(blob.Digest), blob);
        }
    }

    public async Task GetExactlyAsync(string path, TestBlob expected)
    {
        var answer = await GetRawAsync(path);
        if (answer.Status != 200 || !answer.IsComplete || !answer.Body.AsSpan().SequenceEqual(expected.Content.Span))
        {
            throw new InvalidOperationException($"{path} was answered with {answer.Status}, {answer.Body.Length} bytes, complete: {answer.IsComplete}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Mirror.DisposeAsync();
        await Upstream.DisposeAsync();
    }
}
