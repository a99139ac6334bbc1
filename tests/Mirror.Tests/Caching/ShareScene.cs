using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>An upstream with a public and a private repository, and a mirror that may read both. A rule names alice.</summary>
public abstract class ShareScene : IAsyncDisposable
{
    protected static readonly string Alice = TestUsers.HeaderOf("alice");
    protected static readonly RepositoryName Public = Scene.Repository;
    protected static readonly RepositoryName Private = RepositoryName.Parse("team/app");
    protected static readonly TestImage Shown = TestImage.Create(layers: 1, layerSize: 1000, seed: 71);
    protected static readonly TestImage Hidden = TestImage.Create(layers: 1, layerSize: 300_000, seed: 72);

    private readonly TestUsers _users = new("alice");
    private FakeRegistry? _upstream;
    private MirrorHost? _mirror;

    protected FakeRegistry Upstream { get => _upstream!; set => _upstream = value; }

    protected MirrorHost Mirror { get => _mirror!; set => _mirror = value; }

    public async ValueTask DisposeAsync()
    {
        await Mirror.DisposeAsync();
        await Upstream.DisposeAsync();
        _users.Dispose();
        GC.SuppressFinalize(this);
    }

    protected RegistryOptions Registry =>
        MirrorHost.Registry("docker.io", Upstream) with { Default = true, Username = "mirror", Password = new Secret("secret") };

    protected async Task StartAsync(TokenOptions? tokens = null, Func<RegistryOptions, RegistryOptions>? change = null)
    {
        Upstream = await FakeRegistry.StartAsync();
        Upstream.Add(Public, Shown, Scene.Tag);
        Upstream.Add(Private, Hidden, Scene.Tag);
        Upstream.RequireTokens("mirror", "secret", tokens ?? new TokenOptions { Private = [Private] });
        Mirror = await MirrorHost.StartAsync([change is null ? Registry : change(Registry)], _users.Naming("alice"));
    }

    protected async Task PullHiddenAsAliceAsync()
    {
        Assert.Equal(Hidden.Manifest.Content.ToArray(), (await GetAsync(Private, $"manifests/{Scene.Tag}", Alice)).Body);
        foreach (var blob in Hidden.Blobs)
        {
            Assert.Equal(blob.Content.ToArray(), (await GetAsync(Private, $"blobs/{blob.Digest}", Alice)).Body);
            await Mirror.PublishedAsync(blob.Digest);
        }
    }

    protected Task<RawResponse> GetAsync(RepositoryName repository, string path, params IReadOnlyList<string> headers) =>
        RawHttp.GetAsync(Mirror.Url, $"/v2/docker.io/{repository}/{path}", headers);

    protected Task<RawResponse> HeadAsync(RepositoryName repository, string path) =>
        RawHttp.SendAsync(Mirror.Url, RawHttp.Request(Mirror.Url, "HEAD", $"/v2/docker.io/{repository}/{path}"));
}
