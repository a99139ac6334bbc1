using System.Net;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class RedirectTests
{
    [Fact]
    public async Task A_redirected_blob_arrives_and_the_other_host_sees_no_authorization()
    {
        await using var scene = await RemoteScene.StartAsync("alice", "secret");
        await using var store = await FakeRegistry.StartAsync();
        store.AddBlob(RemoteScene.Repository, scene.Image.Layer);
        scene.Registry.RequireBasic("alice", "secret");
        scene.Registry.On(HttpMethod.Get, scene.Image.Layer.Digest).Do(
            Behaviour.RedirectTo(store.BlobUrl(RemoteScene.Repository, scene.Image.Layer.Digest)));

        await using var blob = await OpenAsync(scene);

        Assert.Equal(scene.Image.Layer.Content.ToArray(), (await blob.Body.ReadWholeAsync(10_000)).ToArray());
        Assert.Null(Assert.Single(store.Requests).Header("Authorization"));
    }

    [Fact]
    public async Task A_redirect_on_the_registry_itself_keeps_the_authorization()
    {
        await using var scene = await RemoteScene.StartAsync("alice", "secret");
        scene.Registry.RequireBasic("alice", "secret");
        scene.Registry.AddBlob(RepositoryName.Parse("elsewhere"), scene.Image.Layer);
        scene.Registry.On(request => request.Path.StartsWith("/v2/org/app/blobs/", StringComparison.Ordinal)).Do(
            Behaviour.RedirectTo($"/v2/elsewhere/blobs/{scene.Image.Layer.Digest}"));

        await using var blob = await OpenAsync(scene);

        Assert.Equal(scene.Image.Layer.Content.ToArray(), (await blob.Body.ReadWholeAsync(10_000)).ToArray());
    }

    [Theory]
    [InlineData("http://user:pw@127.0.0.1:1/x")]
    [InlineData("ftp://127.0.0.1/x")]
    [InlineData("file:///etc/passwd")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://[fe80::1]/x")]
    public async Task A_redirect_to_where_no_registry_leads_is_refused(string location)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Get, scene.Image.Layer.Digest).Do(Behaviour.RedirectTo(location));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(
            await scene.OpenLayerAsync(0)));

        Assert.Equal(UnavailableReason.Forbidden, failure.Reason);
    }

    [Fact]
    public async Task A_circle_of_redirects_ends()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.RedirectTo("/v2/again"));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Equal(UnavailableReason.Forbidden, failure.Reason);
        Assert.Equal(6, scene.Registry.Requests.Count);
    }

    [Theory]
    [InlineData("8.8.8.8", AddressZone.Public)]
    [InlineData("2606:4700::1111", AddressZone.Public)]
    [InlineData("10.1.2.3", AddressZone.Private)]
    [InlineData("172.16.0.1", AddressZone.Private)]
    [InlineData("172.32.0.1", AddressZone.Public)]
    [InlineData("192.168.1.1", AddressZone.Private)]
    [InlineData("100.64.0.1", AddressZone.Private)]
    [InlineData("fd00::1", AddressZone.Private)]
    [InlineData("224.0.0.1", AddressZone.Private)]
    [InlineData("169.254.169.254", AddressZone.LinkLocal)]
    [InlineData("fe80::1", AddressZone.LinkLocal)]
    [InlineData("127.0.0.1", AddressZone.Loopback)]
    [InlineData("127.9.9.9", AddressZone.Loopback)]
    [InlineData("::1", AddressZone.Loopback)]
    [InlineData("0.0.0.0", AddressZone.Loopback)]
    [InlineData("::", AddressZone.Loopback)]
    [InlineData("::ffff:127.0.0.1", AddressZone.Loopback)]
    [InlineData("::ffff:10.0.0.1", AddressZone.Private)]
    [InlineData("64:ff9b::a9fe:a9fe", AddressZone.LinkLocal)]
    [InlineData("2002:7f00:1::", AddressZone.Loopback)]
    internal void An_address_is_known_for_what_it_is(string address, AddressZone zone) =>
        Assert.Equal(zone, AddressPolicy.ZoneOf(IPAddress.Parse(address)));

    [Fact]
    internal void A_public_registry_leads_only_to_public_addresses()
    {
        Assert.True(AddressPolicy.MayLead(AddressZone.Public, AddressZone.Public));
        Assert.False(AddressPolicy.MayLead(AddressZone.Public, AddressZone.Private));
        Assert.False(AddressPolicy.MayLead(AddressZone.Public, AddressZone.Loopback));
        Assert.False(AddressPolicy.MayLead(AddressZone.Public, AddressZone.LinkLocal));
        Assert.False(AddressPolicy.MayLead(AddressZone.Private, AddressZone.Loopback));
        Assert.False(AddressPolicy.MayLead(AddressZone.Loopback, AddressZone.LinkLocal));
        Assert.True(AddressPolicy.MayLead(AddressZone.Private, AddressZone.Private));
    }

    private static async Task<RemoteBlob> OpenAsync(RemoteScene scene) => Assert.IsType<RemoteAnswer<RemoteBlob>.Found>(
        await scene.OpenLayerAsync(0)).Content;
}
