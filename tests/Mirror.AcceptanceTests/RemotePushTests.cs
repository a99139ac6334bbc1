using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>CNCF Distribution is pushed to.</summary>
public sealed class RemotePushTests
{
    private const int MiB = 1024 * 1024;

    private static readonly RepositoryName App = RepositoryName.Parse("team/app");
    private static readonly RepositoryName Other = RepositoryName.Parse("team/other");

    [FactWith("docker-registry")]
    public async Task Blobs_survive_cut_connections_and_manifests_are_put_refused_and_deleted()
    {
        await using var registry = await DistributionRegistry.StartAsync();
        using var client = new RemoteRegistry(
            new RemoteRegistryOptions { Name = "target", Url = registry.Url, UploadChunk = MiB }, TimeProvider.System);
        var image = TestImage.Create(layers: 2, layerSize: 4 * MiB, seed: 1);

        // Cut between two chunks it goes on there; inside one the registry gives the upload up, and it begins again.
        Assert.Equal(2 * MiB, await PushInTwoAsync(client, image.Layers[0]));
        await PushCutAsync(client, image.Layers[1]);
        await PushAsync(client, image.Config, (offset, _) => Task.FromResult<Stream>(ContentOf(image.Config, offset)));
        foreach (var blob in image.Blobs)
        {
            Assert.True(Assert.IsType<RemoteAnswer<MountedBlob>.Found>(
                await client.Uploads.MountAsync(Other, blob.Digest, App, CancellationToken.None)).Content.IsMounted);
        }

        var tag = Tag.Parse("1");
        Assert.IsType<RemoteAnswer<Descriptor>.Found>(await PutAsync(client, tag, image.Manifest));
        Assert.Equal(image.Digest, Assert.IsType<RemoteAnswer<Manifest>.Found>(
            await client.GetManifestAsync(App, tag, CancellationToken.None)).Content.Digest);
        var sparse = TestBlob.Of(System.Text.Encoding.UTF8.GetBytes($$"""
            {"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[{"mediaType":"{{MediaTypes.OciManifest}}","digest":"{{Digest.Sha256([1])}}","size":1}]}
            """), MediaTypes.OciIndex);
        Assert.Equal(RefusalReason.ContentUnknown, ReasonOf(Assert.IsType<RemoteAnswer<Descriptor>.Failed>(await PutAsync(client, sparse.Digest, sparse)).Failure));
        var signature = TestImage.Create(layers: 1, layerSize: MiB, seed: 2, subject: image.Manifest.Descriptor);
        foreach (var blob in signature.Blobs)
        {
            await PushAsync(client, blob, (offset, _) => Task.FromResult<Stream>(ContentOf(blob, offset)));
        }

        Assert.IsType<RemoteAnswer<Descriptor>.Found>(await PutAsync(client, signature.Digest, signature.Manifest));
        Assert.Equal(
            [tag, Tag.Parse($"sha256-{image.Digest.Hex}")],
            Assert.IsType<RemoteAnswer<IReadOnlyList<Tag>>.Found>(await client.Listings.ListAllTagsAsync(App, CancellationToken.None)).Content
                .OrderBy(name => name.ToString(), StringComparer.Ordinal));
        Assert.Equal([App, Other], Assert.IsType<RemoteAnswer<IReadOnlyList<RepositoryName>>.Found>(
            await client.Listings.ListAllRepositoriesAsync(CancellationToken.None)).Content);
        Assert.Equal(RefusalReason.Unsupported, ReasonOf((await client.Manifests.DeleteAsync(App, tag, CancellationToken.None))!));
        Assert.Null(await client.Manifests.DeleteAsync(App, image.Digest, CancellationToken.None));
        Assert.IsType<RemoteFailure.Missing>(await client.Manifests.DeleteAsync(App, image.Digest, CancellationToken.None));
    }

    private static RefusalReason ReasonOf(RemoteFailure failure) => Assert.IsType<RemoteFailure.Refused>(failure).Reason;

    private static MemoryStream ContentOf(TestBlob blob, long offset) => new MemoryStream(blob.Content[(int)offset..].ToArray());

    /// <summary>Half of it, and the rest as another process would.</summary>
    /// <returns>What the second one has sent.</returns>
    private static async Task<long> PushInTwoAsync(RemoteRegistry client, TestBlob blob)
    {
        using var killed = new CancellationTokenSource();
        RemoteUpload? saved = null;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.Uploads.PushAsync(
            App, blob.Descriptor, (offset, _) => Task.FromResult<Stream>(ContentOf(blob, offset)), client.StartTransfer(TransferPriority.Sync), begun: null, upload =>
            {
                saved = upload;
                if (upload.Offset == 2 * MiB)
                {
                    killed.Cancel();
                }
            }, killed.Token));
        return await PushAsync(client, blob, (offset, _) => Task.FromResult<Stream>(ContentOf(blob, offset)), saved);
    }

    /// <summary>Once in the middle of a chunk its source ends, and with that the connection.</summary>
    private static async Task PushCutAsync(RemoteRegistry client, TestBlob blob)
    {
        var opened = 0;
        var sent = await PushAsync(client, blob, (offset, _) => Task.FromResult<Stream>(
            opened++ > 0 ? ContentOf(blob, offset) : new MemoryStream(blob.Content[..(2 * MiB + 500_000)].ToArray())));
        Assert.InRange(sent, blob.Size + 2 * MiB, blob.Size + 3 * MiB);
    }

    private static async Task<long> PushAsync(RemoteRegistry client, TestBlob blob, OpenContent open, RemoteUpload? begun = null) =>
        Assert.IsType<RemoteAnswer<PushedBlob>.Found>(await client.Uploads.PushAsync(
            App, blob.Descriptor, open, client.StartTransfer(TransferPriority.Sync), begun, _ => { }, CancellationToken.None)).Content.Sent;

    private static Task<RemoteAnswer<Descriptor>> PutAsync(RemoteRegistry client, Reference reference, TestBlob blob)
    {
        Assert.True(Manifest.TryParse(blob.Content, blob.MediaType, DigestAlgorithm.Sha256, out var manifest, out var fault), fault);
        return client.Manifests.PutAsync(App, reference, manifest, CancellationToken.None);
    }
}
