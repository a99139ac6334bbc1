using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class TrustTests : IDisposable
{
    private const string Host = "127.0.0.1";
    private readonly TestAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    [Fact]
    public async Task A_registry_that_the_configured_authority_vouches_for_is_trusted()
    {
        using var certificate = _authority.Issue(Host);
        await using var scene = await RemoteScene.StartAsync(
            options => options with { CertificateAuthorities = _authority.Certificates }, certificate);

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    [Theory]
    [InlineData(Host, false, false)]
    [InlineData(Host, true, false)]
    [InlineData("registry.example.com", true, true)]
    public async Task Without_the_right_authority_and_the_right_name_a_registry_is_not_trusted(string name, bool authority, bool isItsOwn)
    {
        using var certificate = _authority.Issue(name);
        using var other = new TestAuthority();
        var authorities = isItsOwn ? _authority.Certificates : other.Certificates;
        await using var scene = await RemoteScene.StartAsync(
            options => options with { CertificateAuthorities = authority ? authorities : null }, certificate);

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Equal(UnavailableReason.Unreachable, failure.Reason);
        Assert.Empty(scene.Registry.Requests);
    }

    [Fact]
    public async Task A_client_certificate_is_shown_to_the_registry_and_not_to_where_it_redirects()
    {
        using var certificate = _authority.Issue(Host);
        using var own = _authority.Issue("mirror");
        await using var elsewhere = await FakeRegistry.StartAsync(certificate);
        await using var scene = await RemoteScene.StartAsync(
            options => options with { CertificateAuthorities = _authority.Certificates, ClientCertificate = own }, certificate);
        elsewhere.Add(RemoteScene.Repository, scene.Image, RemoteScene.Tag.ToString());
        scene.Registry.On(_ => true).Do(Behaviour.RedirectTo(elsewhere.ManifestUrl(RemoteScene.Repository, RemoteScene.Tag.ToString())));

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.Equal("CN=mirror", Assert.Single(scene.Registry.Requests).ClientCertificate);
        Assert.Null(Assert.Single(elsewhere.Requests).ClientCertificate);
    }

    [Fact]
    public async Task A_registry_with_a_proxy_is_asked_through_it()
    {
        await using var proxy = await RemoteScene.StartAsync(options => options with { Url = new Uri("http://registry.invalid"), Proxy = options.Url });

        RemoteScene.FailureOf(await proxy.GetManifestAsync());

        Assert.StartsWith("http://registry.invalid/v2/", Assert.Single(proxy.Registry.Requests).Target, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest")]
    [InlineData("http://127.0.0.1:9/")]
    [InlineData("http://10.0.0.1/")]
    public async Task A_proxy_does_not_make_a_forbidden_redirect_right(string location)
    {
        await using var proxy = await RemoteScene.StartAsync(options => options with { Url = new Uri("http://198.51.100.1"), Proxy = options.Url });
        proxy.Registry.On(_ => true).Times(1).Do(Behaviour.RedirectTo(location));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await proxy.GetManifestAsync()));

        Assert.Equal(UnavailableReason.Forbidden, failure.Reason);
        Assert.Single(proxy.Registry.Requests);
    }
}
