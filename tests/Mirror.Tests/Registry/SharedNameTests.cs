using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>A name of one segment that the default registry has too: it is upstream's until an image of ours is there.</summary>
public sealed class SharedNameTests : IAsyncLifetime
{
    private static readonly RepositoryName Official = RepositoryName.Parse("library/app");
    private static readonly TestImage Theirs = TestImage.Create(layers: 2, layerSize: 3000, seed: 51);
    private static readonly TestImage Ours = TestImage.Create(layers: 2, layerSize: 3000, seed: 52);

    private FakeRegistry _upstream = null!;
    private MirrorHost _mirror = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        _upstream = await FakeRegistry.StartAsync();
        _upstream.Add(Official, Theirs, "1");
        _mirror = await MirrorHost.StartAsync(_upstream);
        _client = new HttpClient { BaseAddress = _mirror.Url };
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _mirror.DisposeAsync();
        await _upstream.DisposeAsync();
    }

    [Fact]
    public async Task A_blob_that_is_pushed_does_not_take_the_name_away_from_upstream()
    {
        await UploadAsync(Ours.Layer);

        Assert.Equal(Theirs.Manifest.Content.ToArray(), await _client.GetByteArrayAsync("/v2/app/manifests/1"));
        Assert.Equal(Theirs.Layer.Content.ToArray(), await _client.GetByteArrayAsync($"/v2/app/blobs/{Theirs.Layer.Digest}"));
        Assert.Contains("\"1\"", await _client.GetStringAsync("/v2/app/tags/list"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_name_is_upstreams_again_when_the_last_image_of_ours_is_deleted()
    {
        await PushAsync(Ours, "1");
        Assert.Equal(Ours.Manifest.Content.ToArray(), await _client.GetByteArrayAsync("/v2/app/manifests/1"));

        using (var deleted = await _client.DeleteAsync($"/v2/app/manifests/{Ours.Digest}"))
        {
            Assert.Equal(202, (int)deleted.StatusCode);
        }

        Assert.Equal(Theirs.Manifest.Content.ToArray(), await _client.GetByteArrayAsync("/v2/app/manifests/1"));
    }

    private async Task PushAsync(TestImage image, string reference)
    {
        foreach (var blob in image.Blobs)
        {
            await UploadAsync(blob);
        }

        Assert.Equal(201, await PutAsync(image.Manifest, reference));
    }

    private async Task UploadAsync(TestBlob blob)
    {
        using var pushed = await _client.PostAsync($"/v2/app/blobs/uploads/?digest={blob.Digest}", new ReadOnlyMemoryContent(blob.Content));
        Assert.Equal(201, (int)pushed.StatusCode);
    }

    private async Task<int> PutAsync(TestBlob manifest, string reference)
    {
        var content = new ReadOnlyMemoryContent(manifest.Content);
        content.Headers.ContentType = new(manifest.MediaType);
        using var put = await _client.PutAsync($"/v2/app/manifests/{reference}", content);
        return (int)put.StatusCode;
    }
}
