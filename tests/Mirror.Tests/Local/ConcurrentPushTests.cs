using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>Clients that push at the same time do not harm each other.</summary>
public sealed class ConcurrentPushTests
{
    private const string Repository = "team/app";

    [Fact]
    public async Task Two_clients_push_one_tag_and_one_of_them_wins_whole()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var images = new[] { TestImage.Create(layers: 2, layerSize: 1000, seed: 1), TestImage.Create(layers: 2, layerSize: 1000, seed: 2) };
        for (var round = 0; round < 20; round++)
        {
            var tag = $"round-{round}";
            foreach (var blob in images.SelectMany(image => image.Blobs))
            {
                await registry.PushBlobAsync(Repository, blob);
            }

            var answers = await Task.WhenAll(images.Select(image => registry.PutManifestAsync(Repository, image.Manifest, tag)));

            Assert.All(answers, answer => Assert.Equal(201, answer.Status));
            var head = await registry.SendAsync("HEAD", $"/v2/{Repository}/manifests/{tag}");
            var winner = images.Single(image => head.Header("Docker-Content-Digest") == $"{image.Digest}");
            await registry.GetExactlyAsync($"/v2/{Repository}/manifests/{tag}", winner.Manifest);
            foreach (var image in images)
            {
                await registry.GetExactlyAsync($"/v2/{Repository}/manifests/{image.Digest}", image.Manifest);
            }
        }
    }

    [Fact]
    public async Task Who_reads_a_tag_while_it_moves_has_one_image_or_the_other()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var images = new[] { TestImage.Create(layers: 1, layerSize: 1000, seed: 1), TestImage.Create(layers: 1, layerSize: 1000, seed: 2) };
        await registry.PushAsync(Repository, images[0], "latest");
        await registry.PushAsync(Repository, images[1], "latest");
        var isMoving = true;
        var reading = Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            while (Volatile.Read(ref isMoving))
            {
                var answer = await registry.SendAsync("GET", $"/v2/{Repository}/manifests/latest");
                var image = images.Single(image => answer.Header("Docker-Content-Digest") == $"{image.Digest}");
                Assert.Equal(image.Manifest.Content.ToArray(), answer.Body);
            }
        }));

        for (var move = 0; move < 40; move++)
        {
            Assert.Equal(201, (await registry.PutManifestAsync(Repository, images[move % 2].Manifest, "latest")).Status);
        }

        Volatile.Write(ref isMoving, false);
        await reading;
    }

    [Fact]
    public async Task Sixteen_clients_push_one_blob_in_chunks_and_it_is_stored_once()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var blob = TestBlob.Create(size: 300_000, seed: 3);

        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(async number =>
        {
            var location = await registry.BeginAsync($"team/app-{number}");
            Assert.Equal(202, (await registry.SendAsync("PATCH", location, blob.Content[..150_000])).Status);
            return await registry.SendAsync("PUT", OwnRegistry.With(location, $"digest={blob.Digest}"), blob.Content[150_000..]);
        }));

        Assert.All(answers, answer => Assert.Equal(201, answer.Status));
        Assert.Equal([blob.Digest], registry.Mirror.Published());
        Assert.Equal(0, registry.Mirror.Staged());
        foreach (var number in Enumerable.Range(0, 16))
        {
            await registry.GetExactlyAsync($"/v2/team/app-{number}/blobs/{blob.Digest}", blob);
        }
    }

    [Fact]
    public async Task What_is_deleted_while_it_is_pushed_again_is_there_whole_or_not_at_all()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var image = TestImage.Create(layers: 1, layerSize: 1000, seed: 4);
        for (var round = 0; round < 20; round++)
        {
            await registry.PushAsync(Repository, image, "latest");

            var answers = await Task.WhenAll(
                registry.PutManifestAsync(Repository, image.Manifest, "latest"),
                registry.SendAsync("DELETE", $"/v2/{Repository}/manifests/{image.Digest}"));

            Assert.Equal((201, 202), (answers[0].Status, answers[1].Status));
            var byTag = await registry.SendAsync("GET", $"/v2/{Repository}/manifests/latest");
            var byDigest = await registry.SendAsync("GET", $"/v2/{Repository}/manifests/{image.Digest}");
            Assert.True((byTag.Status, byDigest.Status) is (200, 200) or (404, 404), $"{byTag.Status} by tag, {byDigest.Status} by digest");
        }
    }
}
