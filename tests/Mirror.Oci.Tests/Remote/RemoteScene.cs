using System.Security.Cryptography.X509Certificates;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

/// <summary>A client in front of a fake registry with one image.</summary>
internal sealed class RemoteScene : IAsyncDisposable
{
    private RemoteScene(FakeRegistry registry, RemoteRegistry client, TestImage image, ManualTime time)
    {
        Registry = registry;
        Client = client;
        Image = image;
        Time = time;
    }

    public static RepositoryName Repository { get; } = RepositoryName.Parse("org/app");

    public static Tag Tag { get; } = Tag.Parse("1");

    public FakeRegistry Registry { get; }

    public RemoteRegistry Client { get; }

    public TestImage Image { get; }

    public ManualTime Time { get; }

    public static Task<RemoteScene> StartAsync(string? user = null, string? password = null, params IReadOnlyList<string> realms) =>
        StartAsync(options => options with
        {
            Credentials = user is null ? null : new BasicCredentials(user, password!),
            Realms = realms,
        });

    public static async Task<RemoteScene> StartAsync(
        Func<RemoteRegistryOptions, RemoteRegistryOptions> configure, X509Certificate2? certificate = null)
    {
        var registry = await FakeRegistry.StartAsync(certificate);
        var image = TestImage.Create(layers: 1, layerSize: 1000, seed: 1);
        registry.Add(Repository, image, Tag.ToString());
        // The waits between attempts are over at once.
        var time = new ManualTime { ShortWait = TimeSpan.FromMilliseconds(800) };
        var options = configure(new RemoteRegistryOptions { Name = "upstream", Url = registry.Url });
        return new RemoteScene(registry, new RemoteRegistry(options, time), image, time);
    }

    public Task<RemoteAnswer<Manifest>> GetManifestAsync() => Client.GetManifestAsync(Repository, Tag, CancellationToken.None);

    public Task<RemoteAnswer<RemoteBlob>> OpenLayerAsync(long offset = 0) =>
        OpenLayerAsync(Client.StartTransfer(TransferPriority.Client), offset);

    public Task<RemoteAnswer<RemoteBlob>> OpenLayerAsync(
        Transfer transfer, long offset = 0, CancellationToken cancellationToken = default) =>
        Client.OpenBlobAsync(Repository, Image.Layer.Digest, offset, transfer, cancellationToken);

    /// <summary>The failure of an answer that should be one.</summary>
    public static RemoteFailure FailureOf<T>(RemoteAnswer<T> answer) => Assert.IsType<RemoteAnswer<T>.Failed>(answer).Failure;

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Registry.DisposeAsync();
    }
}
