using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>A registry that is never contacted: it is there in all of these tests, and must not hear of anything.</summary>
public sealed class OfflineTests
{
    private static readonly RepositoryName Other = RepositoryName.Parse("library/other");

    [Fact]
    public async Task What_is_here_of_an_offline_registry_is_served_however_old_it_is_and_the_registry_is_sent_nothing()
    {
        await using var scene = await OfflineAsync();
        string[] paths = [scene.TagPath, Scene.ManifestPath(scene.Image.Digest.ToString()), scene.LayerPath, $"/v2/{Scene.Repository}/tags/list"];
        scene.Mirror.Time.Advance(TimeSpan.FromDays(1000));

        await scene.PullAsync();
        foreach (var path in paths)
        {
            var answer = await scene.GetRawAsync(path);
            using var head = await scene.Mirror.HeadAsync(path);

            Assert.Equal((200, 200), (answer.Status, (int)head.StatusCode));
            Assert.False(answer.Head.Headers.ContainsKey("Warning"));
        }

        Assert.Equal("""{"name":"library/alpine","tags":["3.20"]}""", (await scene.GetRawAsync(paths[^1])).Text);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task What_is_not_here_of_an_offline_registry_does_not_exist()
    {
        await using var scene = await OfflineAsync();
        scene.Upstream.Tag(Scene.Repository, "later", scene.Image.Digest);
        scene.Upstream.Add(Other, scene.Image, Scene.Tag);
        var unknown = Digest.Sha256("x"u8);
        (string Path, string Code)[] misses =
        [
            (Scene.ManifestPath("later"), "MANIFEST_UNKNOWN"),
            (Scene.ManifestPath(unknown.ToString()), "MANIFEST_UNKNOWN"),
            (Scene.BlobPath(unknown), "BLOB_UNKNOWN"),
            ($"/v2/{Other}/manifests/{Scene.Tag}", "MANIFEST_UNKNOWN"),
            ($"/v2/{Other}/tags/list", "NAME_UNKNOWN"),
            // It is here, but has come through another repository, and nobody can be asked.
            ($"/v2/{Other}/blobs/{scene.Layer.Digest}", "BLOB_UNKNOWN"),
        ];

        for (var i = 0; i < 2; i++)
        {
            foreach (var (path, code) in misses)
            {
                var answer = await scene.GetRawAsync(path);
                using var head = await scene.Mirror.HeadAsync(path);

                Assert.Equal((404, 404), (answer.Status, (int)head.StatusCode));
                Assert.Contains(code, answer.Text, StringComparison.Ordinal);
                Assert.Contains("docker.io is offline", answer.Text, StringComparison.Ordinal);
            }
        }

        Assert.Empty(scene.Upstream.Requests);
        await scene.PullAsync();
    }

    [Fact]
    public async Task A_blob_that_had_come_by_half_does_not_exist_and_is_gone_on_with_when_the_registry_is_back()
    {
        await using var scene = await Scene.StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.StallAfter(200_000, gate));
        var cut = scene.GetRawAsync(scene.LayerPath);
        await gate.Arrived();
        await scene.Mirror.StagedAsync(200_000);
        await scene.Mirror.RestartAsync([Offline(scene.Upstream)]);
        await cut;
        scene.Upstream.Behave();
        scene.Upstream.ClearRequests();

        Assert.Equal(404, (await scene.GetRawAsync(scene.LayerPath)).Status);
        Assert.Empty(scene.Upstream.Requests);
        await scene.Mirror.RestartAsync([Offline(scene.Upstream) with { Offline = false }]);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.StartsWith("bytes=", Assert.Single(scene.Upstream.RequestsFor(scene.Layer.Digest)).Header("Range"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Referrers_of_an_offline_registry_are_those_under_the_cached_tag_or_none()
    {
        await using var scene = await Scene.StartAsync();
        var subject = scene.Image.Manifest.Descriptor;
        var signature = TestImage.Create(layers: 1, layerSize: 10, seed: 91, subject: subject, artifactType: "application/x.signature");
        var list = System.Text.Encoding.UTF8.GetBytes(
            $$"""
            {"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[
             {"mediaType":"{{MediaTypes.OciManifest}}","digest":"{{signature.Digest}}","size":{{signature.Manifest.Size}}}]}
            """);
        var tag = $"sha256-{scene.Image.Digest.Hex}";
        scene.Upstream.Add(Scene.Repository, signature);
        scene.Upstream.AddManifest(Scene.Repository, TestBlob.Of(list, MediaTypes.OciIndex), tag);
        Assert.Equal(200, (await scene.GetRawAsync(Scene.ManifestPath(tag))).Status);
        await scene.Mirror.RestartAsync([Offline(scene.Upstream)]);
        scene.Upstream.ClearRequests();
        scene.Mirror.Time.Advance(TimeSpan.FromDays(100));

        var some = await scene.GetRawAsync($"/v2/{Scene.Repository}/referrers/{scene.Image.Digest}");
        var none = await scene.GetRawAsync($"/v2/{Scene.Repository}/referrers/{signature.Digest}");

        Assert.Contains(signature.Digest.ToString(), some.Text, StringComparison.Ordinal);
        Assert.Equal((200, """{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"""), (none.Status, none.Text));
        Assert.Empty(scene.Upstream.Requests);
    }

    [Fact]
    public async Task Offline_shows_what_was_public_and_nothing_of_which_that_is_not_known()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.Add(Other, scene.Image, Scene.Tag);
        var online = Offline(scene.Upstream) with { Offline = false, Username = "mirror", Password = new Secret("secret") };
        using var users = new TestUsers("alice");
        await using var mirror = await MirrorHost.StartAsync([online], users.Naming("alice"));
        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Scene.Repository}/manifests/{Scene.Tag}")).Status);
        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Other}/manifests/{Scene.Tag}", TestUsers.HeaderOf("alice"))).Status);
        await mirror.RestartAsync([online with { Offline = true }]);
        scene.Upstream.ClearRequests();
        mirror.Time.Advance(TimeSpan.FromDays(100));

        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Scene.Repository}/manifests/{Scene.Tag}")).Status);
            var hidden = await RawHttp.GetAsync(mirror.Url, $"/v2/docker.io/{Other}/manifests/{Scene.Tag}");
            Assert.Equal(404, hidden.Status);
            Assert.Contains("NAME_UNKNOWN", hidden.Text, StringComparison.Ordinal);
        }

        Assert.Equal(200, (await RawHttp.GetAsync(mirror.Url, $"/v2/{Other}/manifests/{Scene.Tag}", TestUsers.HeaderOf("alice"))).Status);
        Assert.Empty(scene.Upstream.Requests);
    }

    /// <summary>One image, pulled whole, and its registry offline since.</summary>
    private static async Task<Scene> OfflineAsync()
    {
        var scene = await Scene.StartAsync();
        await scene.PullAsync();
        foreach (var blob in scene.Image.Blobs)
        {
            await scene.Mirror.PublishedAsync(blob.Digest);
        }

        await scene.Mirror.RestartAsync([Offline(scene.Upstream)]);
        scene.Upstream.ClearRequests();
        return scene;
    }

    private static RegistryOptions Offline(FakeRegistry upstream) =>
        MirrorHost.Registry("docker.io", upstream) with { Default = true, Offline = true };
}
