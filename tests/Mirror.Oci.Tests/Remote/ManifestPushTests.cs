using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class ManifestPushTests
{
    private static readonly TestImage Signature = TestImage.Create(
        layers: 1, layerSize: 10, seed: 2, subject: TestImage.Create(layers: 1, layerSize: 1000, seed: 1).Manifest.Descriptor, artifactType: "a/sig");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_manifest_is_pushed_with_its_very_bytes_and_type(bool byTag)
    {
        await using var scene = await RemoteScene.StartAsync();
        var manifest = TestBlob.Of("""{ "schemaVersion":2,  "mediaType":"application/vnd.oci.image.index.v1+json", "manifests":[] }"""u8.ToArray(), MediaTypes.OciIndex);
        Reference reference = byTag ? Tag.Parse("new") : manifest.Digest;

        var answer = await PutAsync(scene, manifest, reference);

        Assert.Equal(manifest.Digest, Assert.IsType<RemoteAnswer<Descriptor>.Found>(answer).Content.Digest);
        var there = scene.Registry.FindManifest(RemoteScene.Repository, reference)!;
        Assert.Equal((MediaTypes.OciIndex, manifest.Digest), (there.MediaType, Digest.Sha256(there.Content.Span)));
        Assert.Single(scene.Registry.Requests);
    }

    [Fact]
    public async Task A_manifest_is_never_pushed_under_another_digest()
    {
        await using var scene = await RemoteScene.StartAsync();

        await Assert.ThrowsAsync<ArgumentException>(() => PutAsync(scene, Signature.Manifest, Digest.Sha256([1])));

        Assert.Empty(scene.Registry.Requests);
    }

    [Fact]
    public async Task A_registry_that_says_that_it_took_another_manifest_is_not_believed()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Put).Do(Behaviour.WrongDigestHeader(Digest.Sha256([1])));

        var failure = RemoteScene.FailureOf(await PutAsync(scene, scene.Image.Manifest, RemoteScene.Tag));

        Assert.Equal(UnavailableReason.BadAnswer, Assert.IsType<RemoteFailure.Unavailable>(failure).Reason);
    }

    [Fact]
    public async Task An_index_without_all_its_children_is_refused_by_many_registries_and_taken_by_others()
    {
        await using var scene = await RemoteScene.StartAsync();
        var index = TestBlob.Of(TestImage.Create(seed: 5).Manifest is var child
            ? System.Text.Encoding.UTF8.GetBytes($$"""
                {"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[{"mediaType":"{{child.MediaType}}","digest":"{{child.Digest}}","size":{{child.Size}}}]}
                """)
            : [], MediaTypes.OciIndex);

        Assert.Equal(RefusalReason.ContentUnknown, RefusalOf(await PutAsync(scene, index, index.Digest)));
        scene.Registry.Pushing = new PushOptions { TakesSparse = true };
        Assert.IsType<RemoteAnswer<Descriptor>.Found>(await PutAsync(scene, index, index.Digest));
    }

    [Theory]
    [InlineData(413, "SIZE_INVALID", RefusalReason.TooLarge)]
    [InlineData(400, "MANIFEST_INVALID", RefusalReason.Invalid)]
    [InlineData(404, "MANIFEST_BLOB_UNKNOWN", RefusalReason.ContentUnknown)]
    [InlineData(405, "UNSUPPORTED", RefusalReason.Unsupported)]
    public async Task A_refusal_says_why(int status, string code, RefusalReason reason)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Put).Do(Behaviour.RefuseUnread(status, $$"""{"errors":[{"code":"{{code}}","message":"no"}]}"""));

        Assert.Equal(reason, RefusalOf(await PutAsync(scene, scene.Image.Manifest, RemoteScene.Tag)));
        Assert.Single(scene.Registry.Requests);
    }

    [Fact]
    public async Task A_failure_that_passes_is_not_noticed()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Put).Times(2).Do(Behaviour.Status(500));

        Assert.IsType<RemoteAnswer<Descriptor>.Found>(await PutAsync(scene, scene.Image.Manifest, RemoteScene.Tag));
    }

    [Fact]
    public async Task A_registry_with_referrers_needs_no_list_of_ours()
    {
        await using var scene = await RemoteScene.StartAsync();

        await PushedAsync(scene, Signature);

        Assert.Equal(HttpMethod.Put, Assert.Single(scene.Registry.Requests).Method);
    }

    [Fact]
    public async Task Without_the_referrers_API_a_tag_lists_the_referrers_and_keeps_what_others_have_entered()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions { KeepsReferrers = false };
        var second = TestImage.Create(layers: 1, layerSize: 10, seed: 3, subject: scene.Image.Manifest.Descriptor, artifactType: "a/sbom");

        await Task.WhenAll(PushedAsync(scene, Signature), PushedAsync(scene, second));
        await PushedAsync(scene, Signature);

        var referrers = await ReferrersAsync(scene);
        Assert.Equal(
            new[] { (Signature.Digest, "a/sig"), (second.Digest, "a/sbom") }.OrderBy(entry => entry.Item2, StringComparer.Ordinal),
            referrers.Select(entry => (entry.Digest, entry.ArtifactType!)).OrderBy(entry => entry.Item2, StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_entry_that_somebody_else_has_overwritten_is_made_again()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions { KeepsReferrers = false };
        scene.Registry.On(HttpMethod.Put, RemoteScene.Repository, ReferrersTagOf(scene)).Times(2).Do(Behaviour.RefuseUnread(201, ""));

        await PushedAsync(scene, Signature);

        Assert.Equal(Signature.Digest, Assert.Single(await ReferrersAsync(scene)).Digest);
    }

    [Fact]
    public async Task What_else_has_the_referrers_tag_is_left_alone()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions { KeepsReferrers = false };
        scene.Registry.Tag(RemoteScene.Repository, ReferrersTagOf(scene), scene.Image.Digest);
        Push(scene, Signature);

        Assert.Equal(RefusalReason.Invalid, RefusalOf(await PutAsync(scene, Signature.Manifest, Signature.Digest)));
        Assert.Equal(scene.Image.Digest, scene.Registry.FindManifest(RemoteScene.Repository, Tag.Parse(ReferrersTagOf(scene)))!.Digest);
    }

    [Fact]
    public async Task An_outage_is_not_taken_for_an_empty_list_of_referrers()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions { KeepsReferrers = false };
        scene.Registry.On(HttpMethod.Get, RemoteScene.Repository, ReferrersTagOf(scene)).Do(Behaviour.Status(503));
        Push(scene, Signature);

        Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await PutAsync(scene, Signature.Manifest, Signature.Digest)));
        Assert.Null(scene.Registry.FindManifest(RemoteScene.Repository, Tag.Parse(ReferrersTagOf(scene))));
    }

    [Fact]
    public async Task A_tag_or_a_manifest_is_deleted_and_what_is_not_there_is_missing()
    {
        await using var scene = await RemoteScene.StartAsync();

        Assert.Null(await DeleteAsync(scene, RemoteScene.Tag));
        Assert.NotNull(scene.Registry.FindManifest(RemoteScene.Repository, scene.Image.Digest));
        Assert.Null(await DeleteAsync(scene, scene.Image.Digest));
        Assert.Null(scene.Registry.FindManifest(RemoteScene.Repository, scene.Image.Digest));
        Assert.IsType<RemoteFailure.Missing>(await DeleteAsync(scene, scene.Image.Digest));
    }

    [Theory]
    [InlineData(405, "UNSUPPORTED")]
    [InlineData(400, "DIGEST_INVALID")]
    public async Task A_registry_that_does_not_delete_tags_is_told_from_a_tag_that_is_not_there(int status, string code)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Delete).Do(Behaviour.RefuseUnread(status, $$"""{"errors":[{"code":"{{code}}","message":"no"}]}"""));

        var refused = Assert.IsType<RemoteFailure.Refused>(await DeleteAsync(scene, RemoteScene.Tag));

        Assert.Equal(RefusalReason.Unsupported, refused.Reason);
    }

    [Fact]
    public async Task What_is_deleted_is_so_with_a_token_for_it()
    {
        await using var scene = await RemoteScene.StartAsync("user", "secret");
        scene.Registry.RequireTokens("user", "secret");

        Assert.Null(await DeleteAsync(scene, scene.Image.Digest));
    }

    private static string ReferrersTagOf(RemoteScene scene) => $"sha256-{scene.Image.Digest.Hex}";

    private static RefusalReason RefusalOf<T>(RemoteAnswer<T> answer) =>
        Assert.IsType<RemoteFailure.Refused>(RemoteScene.FailureOf(answer)).Reason;

    private static async Task<IReadOnlyList<Descriptor>> ReferrersAsync(RemoteScene scene) => Assert.IsType<RemoteAnswer<Manifest>.Found>(
        await scene.Client.GetManifestAsync(RemoteScene.Repository, Tag.Parse(ReferrersTagOf(scene)), CancellationToken.None)).Content.View().Children;

    private static void Push(RemoteScene scene, TestImage image)
    {
        foreach (var blob in image.Blobs)
        {
            scene.Registry.AddBlob(RemoteScene.Repository, blob);
        }
    }

    private static async Task PushedAsync(RemoteScene scene, TestImage image)
    {
        Push(scene, image);
        Assert.IsType<RemoteAnswer<Descriptor>.Found>(await PutAsync(scene, image.Manifest, image.Digest));
    }

    private static Task<RemoteFailure?> DeleteAsync(RemoteScene scene, Reference reference) =>
        scene.Client.Manifests.DeleteAsync(RemoteScene.Repository, reference, CancellationToken.None);

    private static Task<RemoteAnswer<Descriptor>> PutAsync(RemoteScene scene, TestBlob blob, Reference reference)
    {
        Assert.True(Manifest.TryParse(blob.Content, blob.MediaType, blob.Digest.Algorithm, out var manifest, out var fault), fault);
        return scene.Client.Manifests.PutAsync(RemoteScene.Repository, reference, manifest, CancellationToken.None);
    }
}
