using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class RemoteRegistryTests
{
    [Fact]
    public async Task What_is_asked_has_the_full_Accept_list_and_wants_no_encoding()
    {
        await using var scene = await RemoteScene.StartAsync();

        await scene.GetManifestAsync();

        var request = Assert.Single(scene.Registry.Requests);
        Assert.Equal("identity", request.Header("Accept-Encoding"));
        Assert.All(MediaTypes.Manifests, type => Assert.Contains(type, request.Header("Accept"), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_blob_is_opened_from_an_offset_on()
    {
        await using var scene = await RemoteScene.StartAsync();

        await using var blob = await OpenAsync(scene, offset: 400);

        Assert.Equal((400, 1000), (blob.Offset, blob.Size));
        Assert.Equal(scene.Image.Layer.Content[400..].ToArray(), (await blob.Body.ReadWholeAsync(10_000)).ToArray());
    }

    [Fact]
    public async Task A_registry_that_ignores_ranges_gives_the_whole_and_says_so()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Get, scene.Image.Layer.Digest).Do(Behaviour.IgnoreRange);

        await using var blob = await OpenAsync(scene, offset: 400);

        Assert.Equal((0, 1000), (blob.Offset, blob.Size));
    }

    [Fact]
    public async Task A_range_other_than_the_one_asked_for_is_none()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Get, scene.Image.Layer.Digest).Do(Behaviour.Status(206, "abc", ("Content-Range", "bytes 300-302/1000")));

        var answer = await scene.OpenLayerAsync(400);

        Assert.Equal(UnavailableReason.Unsupported, Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(answer)).Reason);
    }

    [Theory]
    [InlineData(404, typeof(RemoteFailure.Missing))]
    [InlineData(401, typeof(RemoteFailure.Denied))]
    [InlineData(403, typeof(RemoteFailure.Denied))]
    [InlineData(429, typeof(RemoteFailure.Throttled))]
    [InlineData(400, typeof(RemoteFailure.Unavailable))]
    [InlineData(405, typeof(RemoteFailure.Unavailable))]
    [InlineData(410, typeof(RemoteFailure.Unavailable))]
    [InlineData(500, typeof(RemoteFailure.Unavailable))]
    [InlineData(503, typeof(RemoteFailure.Unavailable))]
    [InlineData(204, typeof(RemoteFailure.Unavailable))]
    public async Task Only_a_404_is_missing(int status, Type failure)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(status));

        Assert.IsType(failure, RemoteScene.FailureOf(await scene.GetManifestAsync()));
        Assert.IsType(failure, RemoteScene.FailureOf(
            await scene.Client.HeadBlobAsync(RemoteScene.Repository, scene.Image.Layer.Digest, CancellationToken.None)));
    }

    [Fact]
    public async Task A_registry_that_is_down_is_unreachable_and_one_that_is_silent_times_out()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Stall());

        var waiting = scene.Time.TimerArmed(TimeSpan.FromSeconds(20));
        var asking = scene.GetManifestAsync();
        await waiting;
        scene.Time.Advance(TimeSpan.FromSeconds(20));
        var silent = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await asking));
        await scene.Registry.StopAsync();
        var down = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Equal((UnavailableReason.Timeout, UnavailableReason.Unreachable), (silent.Reason, down.Reason));
    }

    [Fact]
    public async Task Large_headers_are_read_and_larger_ones_refused()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Times(1).Do(Behaviour.LargeHeaders(150_000));
        scene.Registry.On(_ => true).Times(1).Do(Behaviour.LargeHeaders(400_000));

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
        Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));
    }

    [Fact]
    public async Task An_encoded_answer_is_a_bad_answer()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Header("Content-Encoding", "gzip"));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Equal(UnavailableReason.BadAnswer, failure.Reason);
    }

    [Fact]
    public async Task A_tag_that_is_known_is_answered_as_unchanged()
    {
        await using var scene = await RemoteScene.StartAsync();

        var answer = await scene.Client.ResolveAsync(RemoteScene.Repository, RemoteScene.Tag, scene.Image.Digest, RemotePatience.Retry, CancellationToken.None);

        Assert.IsType<RemoteAnswer<ResolvedTag>.Unchanged>(answer);
        Assert.Equal(HttpMethod.Head, Assert.Single(scene.Registry.Requests).Method);
    }

    [Fact]
    public async Task Tags_are_listed_page_by_page()
    {
        await using var scene = await RemoteScene.StartAsync();
        foreach (var tag in new[] { "2", "3", "4", "5" })
        {
            scene.Registry.Tag(RemoteScene.Repository, tag, scene.Image.Digest);
        }

        var tags = new List<string>();
        PageLink? next = null;
        do
        {
            var page = Assert.IsType<RemoteAnswer<RemotePage<Tag>>.Found>(
                await scene.Client.Listings.ListTagsAsync(RemoteScene.Repository, next, n: 2, last: "1", CancellationToken.None)).Content;
            tags.AddRange(page.Items.Select(tag => tag.ToString()));
            next = page.Next;
        }
        while (next is not null);

        Assert.Equal(["2", "3", "4", "5"], tags);
    }

    [Fact]
    public async Task Referrers_are_listed()
    {
        await using var scene = await RemoteScene.StartAsync();
        var signature = TestImage.Create(layers: 1, layerSize: 10, seed: 2, subject: scene.Image.Manifest.Descriptor, artifactType: "a/sig");
        scene.Registry.Add(RemoteScene.Repository, signature);

        var page = Assert.IsType<RemoteAnswer<RemotePage<Descriptor>>.Found>(
            await scene.Client.Listings.ListReferrersAsync(RemoteScene.Repository, scene.Image.Digest, page: null, CancellationToken.None)).Content;

        var referrer = Assert.Single(page.Items);
        Assert.Equal((signature.Digest, "a/sig"), (referrer.Digest, referrer.ArtifactType));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"tags":7}""")]
    [InlineData("{}")]
    public async Task A_listing_that_is_none_is_a_bad_answer(string body)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(200, body));

        var answer = await scene.Client.Listings.ListTagsAsync(RemoteScene.Repository, page: null, n: null, last: null, CancellationToken.None);

        Assert.Equal(UnavailableReason.BadAnswer, Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(answer)).Reason);
    }

    [Theory]
    [InlineData("""{"tags":null}""", "")]
    [InlineData("""{"tags":["ok","../evil","","ok2",7]}""", "ok ok2")]
    public async Task Names_in_a_listing_that_are_no_tags_are_left_out(string body, string expected)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(200, body));

        var page = Assert.IsType<RemoteAnswer<RemotePage<Tag>>.Found>(
            await scene.Client.Listings.ListTagsAsync(RemoteScene.Repository, page: null, n: null, last: null, CancellationToken.None)).Content;

        Assert.Equal(expected, string.Join(' ', page.Items));
    }

    [Fact]
    public async Task A_next_page_on_another_host_is_not_followed()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(200, """{"tags":["a"]}""", ("Link", "<http://127.0.0.1:1/v2/x/tags/list>; rel=\"next\"")));

        var page = Assert.IsType<RemoteAnswer<RemotePage<Tag>>.Found>(
            await scene.Client.Listings.ListTagsAsync(RemoteScene.Repository, page: null, n: null, last: null, CancellationToken.None)).Content;

        Assert.Null(page.Next);
    }

    private static async Task<RemoteBlob> OpenAsync(RemoteScene scene, long offset) => Assert.IsType<RemoteAnswer<RemoteBlob>.Found>(
        await scene.OpenLayerAsync(offset)).Content;
}
