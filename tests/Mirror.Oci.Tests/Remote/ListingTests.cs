using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

/// <summary>Whole lists: what is compared with another list must not be short without a word.</summary>
public sealed class ListingTests
{
    [Theory]
    [InlineData(10, 1)]
    [InlineData(1000, 2)]
    [InlineData(2500, 3)]
    public async Task All_tags_are_listed(int count, int requests)
    {
        await using var scene = await StartAsync(count);

        Assert.Equal(count, (await TagsOf(scene)).Count);
        Assert.Equal(requests, scene.Registry.Requests.Count);
    }

    [Fact]
    public async Task A_registry_that_fills_a_page_and_forgets_to_name_the_next_is_asked_for_it()
    {
        await using var scene = await StartAsync(2500);
        scene.Registry.On(HttpMethod.Get).Do(Behaviour.NoHeader("Link"));

        Assert.Equal(2500, (await TagsOf(scene)).Count);
    }

    [Fact]
    public async Task A_list_that_fails_half_way_is_a_failure_and_never_a_short_list()
    {
        await using var scene = await StartAsync(1500);
        scene.Registry.On(request => request.Query.Contains("last=", StringComparison.Ordinal)).Do(Behaviour.Status(500));

        Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await AllTagsAsync(scene)));
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/v2/org/app/tags/list?last=a")]
    [InlineData("/v2/org/app/tags/list?n=1000")]
    public async Task A_list_that_leads_away_or_in_a_circle_is_a_failure(string next)
    {
        await using var scene = await StartAsync(5);
        scene.Registry.On(HttpMethod.Get).Do(Behaviour.Header("Link", $"<{next}>; rel=\"next\""));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await AllTagsAsync(scene)));

        Assert.Equal(UnavailableReason.BadAnswer, failure.Reason);
    }

    [Fact]
    public async Task All_repositories_are_listed()
    {
        await using var scene = await RemoteScene.StartAsync();
        for (var number = 0; number < 1200; number++)
        {
            scene.Registry.AddBlob(RepositoryName.Parse($"team/app-{number:D4}"), TestBlob.Create(1));
        }

        var answer = await scene.Client.Listings.ListAllRepositoriesAsync(CancellationToken.None);

        Assert.Equal(1201, Assert.IsType<RemoteAnswer<IReadOnlyList<RepositoryName>>.Found>(answer).Content.Count);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(405)]
    public async Task A_registry_without_a_list_of_repositories_is_told_from_one_that_fails(int status)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Get).Do(Behaviour.Status(status));

        var failure = RemoteScene.FailureOf(await scene.Client.Listings.ListAllRepositoriesAsync(CancellationToken.None));

        Assert.Equal(RefusalReason.Unsupported, Assert.IsType<RemoteFailure.Refused>(failure).Reason);
    }

    private static async Task<RemoteScene> StartAsync(int tags)
    {
        var scene = await RemoteScene.StartAsync();
        scene.Registry.Untag(RemoteScene.Repository, RemoteScene.Tag.ToString());
        for (var number = 0; number < tags; number++)
        {
            scene.Registry.Tag(RemoteScene.Repository, $"v{number:D5}", scene.Image.Digest);
        }

        return scene;
    }

    private static Task<RemoteAnswer<IReadOnlyList<Tag>>> AllTagsAsync(RemoteScene scene) =>
        scene.Client.Listings.ListAllTagsAsync(RemoteScene.Repository, CancellationToken.None);

    private static async Task<IReadOnlyList<Tag>> TagsOf(RemoteScene scene) =>
        Assert.IsType<RemoteAnswer<IReadOnlyList<Tag>>.Found>(await AllTagsAsync(scene)).Content;
}
