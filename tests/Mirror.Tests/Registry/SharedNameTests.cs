using Mirror.Configuration;
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

    [Fact]
    public async Task What_was_pulled_from_upstream_is_pushed_under_the_same_name_while_upstream_is_down()
    {
        await PullAsync(Theirs);
        await _upstream.StopAsync();

        await PushWhatIsNotThereAsync(Theirs, "mine");

        await PulledFromUsAsync(Theirs, "mine");
    }

    [Fact]
    public async Task What_was_pulled_from_upstream_is_pushed_under_another_name_while_upstream_is_down()
    {
        await PullAsync(Theirs);
        await _upstream.StopAsync();

        await PushWhatIsNotThereAsync(Theirs, "mine", "other");

        await PulledFromUsAsync(Theirs, "mine", "other");
    }

    [Fact]
    public async Task What_upstream_has_and_is_not_here_is_pushed_and_upstream_is_not_asked()
    {
        await PushWhatIsNotThereAsync(Theirs, "mine");

        Assert.Empty(_upstream.Requests);
        await PulledFromUsAsync(Theirs, "mine");
    }

    [Fact]
    public async Task A_second_image_may_share_what_is_here_of_upstreams_when_the_name_is_ours_already()
    {
        await PullAsync(Theirs);
        var asked = await HeadAsync($"/v2/app/blobs/{Theirs.Layer.Digest}");
        await PushAsync(Ours, "first");

        Assert.Equal(200, asked);
        Assert.Equal(201, await PutAsync(Theirs.Manifest, "second"));
        await PulledFromUsAsync(Theirs, "second");
    }

    [Fact]
    public async Task An_index_whose_images_are_here_of_upstreams_is_pushed_alone_and_pulled_whole()
    {
        var index = TestIndex.Create(layerSize: 3000, seed: 53);
        _upstream.Add(Official, index, "all");
        foreach (var image in index.Images)
        {
            await PullAsync(image);
        }

        Assert.Equal(201, await PutAsync(index.Manifest, "mine"));

        _upstream.ClearRequests();
        Assert.Equal(index.Manifest.Content.ToArray(), await _client.GetByteArrayAsync("/v2/app/manifests/mine"));
        foreach (var image in index.Images)
        {
            await PulledFromUsAsync(image, image.Digest.ToString());
        }
    }

    [Fact]
    public async Task What_the_client_may_not_read_of_upstreams_is_neither_said_to_be_here_nor_taken()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Official, Theirs, "1");
        upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [Official] });
        using var users = new TestUsers("alice");
        await using var mirror = await MirrorHost.StartAsync(
            [MirrorHost.Registry("docker.io", upstream) with { Default = true, Username = "mirror", Password = new Secret("secret") }], users.Naming("alice"));
        foreach (var path in Theirs.Blobs.Select(blob => $"blobs/{blob.Digest}").Prepend("manifests/1"))
        {
            using var pulled = await mirror.GetAsync($"/v2/app/{path}", ("Authorization", TestUsers.HeaderOf("alice")["Authorization: ".Length..]));
            await pulled.Content.ReadAsByteArrayAsync();
            Assert.Equal(200, (int)pulled.StatusCode);
        }

        foreach (var blob in Theirs.Blobs)
        {
            await mirror.PublishedAsync(blob.Digest);
            using var head = await mirror.HeadAsync($"/v2/app/blobs/{blob.Digest}");
            Assert.Equal(404, (int)head.StatusCode);
        }

        using var client = new HttpClient { BaseAddress = mirror.Url };
        using var put = await client.PutAsync("/v2/app/manifests/mine", ContentOf(Theirs.Manifest));
        Assert.Equal(400, (int)put.StatusCode);
        Assert.Contains("MANIFEST_BLOB_UNKNOWN", await put.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_blob_of_an_image_that_is_not_pushed_yet_is_read_from_us_and_any_other_from_upstream()
    {
        await UploadAsync(Ours.Layer);

        Assert.Equal(200, await HeadAsync($"/v2/app/blobs/{Ours.Layer.Digest}"));
        Assert.Equal(Ours.Layer.Content.ToArray(), await _client.GetByteArrayAsync($"/v2/app/blobs/{Ours.Layer.Digest}"));
        Assert.Empty(_upstream.Requests);
        Assert.Equal(Theirs.Layer.Content.ToArray(), await _client.GetByteArrayAsync($"/v2/app/blobs/{Theirs.Layer.Digest}"));
    }

    private async Task PullAsync(TestImage image)
    {
        Assert.Equal(image.Manifest.Content.ToArray(), await _client.GetByteArrayAsync($"/v2/app/manifests/{image.Digest}"));
        foreach (var blob in image.Blobs)
        {
            Assert.Equal(blob.Content.ToArray(), await _client.GetByteArrayAsync($"/v2/app/blobs/{blob.Digest}"));
            await _mirror.PublishedAsync(blob.Digest);
        }
    }

    /// <summary>As docker, podman and skopeo do: HEAD of each blob, POST of those that are not there, PUT of the manifest.</summary>
    private async Task PushWhatIsNotThereAsync(TestImage image, string reference, string name = "app")
    {
        foreach (var blob in image.Blobs)
        {
            var there = await HeadAsync($"/v2/{name}/blobs/{blob.Digest}");
            Assert.Contains(there, new[] { 200, 404 });
            if (there == 404)
            {
                await UploadAsync(blob, name);
            }
        }

        Assert.Equal(201, await PutAsync(image.Manifest, reference, name));
    }

    private async Task PulledFromUsAsync(TestImage image, string reference, string name = "app")
    {
        _upstream.ClearRequests();
        Assert.Equal(image.Manifest.Content.ToArray(), await _client.GetByteArrayAsync($"/v2/{name}/manifests/{reference}"));
        foreach (var blob in image.Blobs)
        {
            Assert.Equal(blob.Content.ToArray(), await _client.GetByteArrayAsync($"/v2/{name}/blobs/{blob.Digest}"));
        }

        Assert.Empty(_upstream.Requests);
    }

    private async Task<int> HeadAsync(string path)
    {
        using var answer = await _mirror.HeadAsync(path);
        return (int)answer.StatusCode;
    }

    private async Task PushAsync(TestImage image, string reference)
    {
        foreach (var blob in image.Blobs)
        {
            await UploadAsync(blob);
        }

        Assert.Equal(201, await PutAsync(image.Manifest, reference));
    }

    private async Task UploadAsync(TestBlob blob, string name = "app")
    {
        using var pushed = await _client.PostAsync($"/v2/{name}/blobs/uploads/?digest={blob.Digest}", new ReadOnlyMemoryContent(blob.Content));
        Assert.Equal(201, (int)pushed.StatusCode);
    }

    private async Task<int> PutAsync(TestBlob manifest, string reference, string name = "app")
    {
        using var put = await _client.PutAsync($"/v2/{name}/manifests/{reference}", ContentOf(manifest));
        return (int)put.StatusCode;
    }

    private static ReadOnlyMemoryContent ContentOf(TestBlob manifest)
    {
        var content = new ReadOnlyMemoryContent(manifest.Content);
        content.Headers.ContentType = new(manifest.MediaType);
        return content;
    }
}
