using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

/// <summary>A real Mirror is pushed to.</summary>
public sealed class MirrorPushTests
{
    private const int MiB = 1024 * 1024;

    private static readonly RepositoryName App = RepositoryName.Parse("team/app");
    private static readonly RepositoryName Other = RepositoryName.Parse("team/other");

    [Fact]
    public async Task An_image_is_pushed_mounted_listed_and_deleted()
    {
        await using var mirror = await MirrorHost.StartAsync([]);
        using var client = new RemoteRegistry(new RemoteRegistryOptions { Name = "mirror", Url = mirror.Url }, TimeProvider.System);
        var image = TestImage.Create(layers: 2, layerSize: 3 * MiB, seed: 1);
        var signature = TestImage.Create(layers: 1, layerSize: 10, seed: 2, subject: image.Manifest.Descriptor, artifactType: "a/sig");

        foreach (var blob in image.Blobs.Concat(signature.Blobs))
        {
            Assert.Equal(blob.Size, Assert.IsType<RemoteAnswer<PushedBlob>.Found>(await PushAsync(client, blob)).Content.Sent);
            Assert.True(Assert.IsType<RemoteAnswer<MountedBlob>.Found>(
                await client.Uploads.MountAsync(Other, blob.Digest, App, CancellationToken.None)).Content.IsMounted);
        }

        await PutAsync(client, image, Tag.Parse("1"));
        await PutAsync(client, signature, signature.Digest);
        Assert.Equal([Tag.Parse("1")], Assert.IsType<RemoteAnswer<IReadOnlyList<Tag>>.Found>(
            await client.Listings.ListAllTagsAsync(App, CancellationToken.None)).Content);
        Assert.Equal(signature.Digest, Assert.Single(Assert.IsType<RemoteAnswer<RemotePage<Descriptor>>.Found>(
            await client.Listings.ListReferrersAsync(App, image.Digest, page: null, CancellationToken.None)).Content.Items).Digest);
        Assert.Null(await client.Manifests.DeleteAsync(App, Tag.Parse("1"), CancellationToken.None));
        Assert.IsType<RemoteFailure.Missing>(await client.Manifests.DeleteAsync(App, Tag.Parse("1"), CancellationToken.None));
    }

    [Fact]
    public async Task An_upload_that_broke_off_in_the_middle_of_a_stream_goes_on_there_in_another_process()
    {
        await using var mirror = await MirrorHost.StartAsync([]);
        using var client = new RemoteRegistry(new RemoteRegistryOptions { Name = "mirror", Url = mirror.Url }, TimeProvider.System);
        using var killed = new CancellationTokenSource();
        var blob = TestBlob.Create(6 * MiB, seed: 3);
        RemoteUpload? saved = null;
        var source = new PushSource(blob) { BreakAt = 4 * MiB, Breaks = 1, AtBreak = killed.Cancel };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => PushAsync(client, blob, source, reached: upload => saved = upload, cancellationToken: killed.Token));
        // Whether the server has noticed the end of that connection yet does not matter.
        await mirror.StagedAsync(2 * MiB);
        var sent = Assert.IsType<RemoteAnswer<PushedBlob>.Found>(await PushAsync(client, blob, begun: saved)).Content.Sent;

        Assert.InRange(sent, 2 * MiB, 4 * MiB);
        Assert.Equal([blob.Digest], mirror.Published());
    }

    private static async Task PutAsync(RemoteRegistry client, TestImage image, Reference reference)
    {
        Assert.True(Manifest.TryParse(image.Manifest.Content, image.Manifest.MediaType, DigestAlgorithm.Sha256, out var manifest, out var fault), fault);
        Assert.IsType<RemoteAnswer<Descriptor>.Found>(await client.Manifests.PutAsync(App, reference, manifest, CancellationToken.None));
    }

    private static Task<RemoteAnswer<PushedBlob>> PushAsync(
        RemoteRegistry client,
        TestBlob blob,
        PushSource? source = null,
        RemoteUpload? begun = null,
        Action<RemoteUpload>? reached = null,
        CancellationToken cancellationToken = default) => client.Uploads.PushAsync(
            App,
            blob.Descriptor,
            (source ?? new PushSource(blob)).OpenAsync,
            client.StartTransfer(TransferPriority.Sync),
            begun,
            reached ?? (_ => { }),
            cancellationToken);
}
