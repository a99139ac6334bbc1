using System.Text.Json;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>What <c>docker search HOST/term</c> sends, and what simple load balancers do.</summary>
public sealed class SearchTests
{
    private static readonly TestImage Image = TestImage.Create(layers: 1, layerSize: 1000);

    [Fact]
    public async Task A_search_finds_what_was_pushed_and_what_is_cached_under_names_that_work()
    {
        await using var scene = await StartAsync("library/alpine", "org/app", "org/other");
        await PushAsync(scene, "app");
        await PushAsync(scene, "myapp");

        var found = await SearchAsync(scene, "q=app");

        Assert.Equal(["app", "docker.io/org/app", "myapp"], Names(found));
        Assert.Equal(3, found.GetProperty("num_results").GetInt32());
        Assert.Equal("app", found.GetProperty("query").GetString());
        foreach (var name in Names(found))
        {
            Assert.Equal(200, (await scene.GetRawAsync($"/v2/{name}/manifests/1")).Status);
        }
    }

    [Fact]
    public async Task A_result_has_the_members_that_clients_show()
    {
        await using var scene = await StartAsync("library/alpine");

        var answer = await scene.GetRawAsync("/v1/search?q=ALPINE&n=25");

        Assert.Equal("application/json", answer.Head.Headers["Content-Type"]);
        Assert.Equal(
            """{"num_results":1,"query":"ALPINE","results":[{"name":"docker.io/library/alpine","description":"","star_count":0,"""
                + "\"is_official\":false,\"is_automated\":false}]}",
            answer.Text);
    }

    [Fact]
    public async Task A_search_comes_in_pages_of_at_most_a_hundred()
    {
        await using var scene = await StartAsync("library/alpine");
        var names = Enumerable.Range(0, 130).Select(number => $"app{number:000}").ToList();
        foreach (var name in names)
        {
            await PushAsync(scene, name);
        }

        Assert.Equal(names[..25], Names(await SearchAsync(scene, "q=app")));
        Assert.Equal(names[..25], Names(await SearchAsync(scene, "q=app&n=0")));
        Assert.Equal(names[..100], Names(await SearchAsync(scene, "q=app&n=1000")));
        Assert.Equal(names[100..], Names(await SearchAsync(scene, "q=app&n=100&page=2")));
        Assert.Empty(Names(await SearchAsync(scene, $"q=app&n=100&page={int.MaxValue}")));
        Assert.Equal(130, (await SearchAsync(scene, "q=app&n=1&page=3")).GetProperty("num_results").GetInt32());
    }

    [Theory]
    [InlineData("n=x")]
    [InlineData("n=-1")]
    [InlineData("page=99999999999")]
    public async Task A_page_that_is_none_is_refused(string query)
    {
        await using var scene = await StartAsync("library/alpine");

        var answer = await scene.GetRawAsync($"/v1/search?q=a&{query}");

        Assert.Equal(400, answer.Status);
        Assert.Contains("PAGINATION_NUMBER_INVALID", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_client_may_not_list_it_does_not_find()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(RepositoryName.Parse("org/public"), Image, "1");
        upstream.Add(RepositoryName.Parse("org/private"), Image, "1");
        var registry = MirrorHost.Registry("docker.io", upstream) with { Default = true };
        await using var mirror = await MirrorHost.StartAsync([registry]);
        await RawHttp.GetAsync(mirror.Url, "/v2/org/public/manifests/1");
        await RawHttp.GetAsync(mirror.Url, "/v2/org/private/manifests/1");

        await mirror.RestartAsync([registry with { Allow = [RepositoryPattern.Parse("org/public")] }]);

        var found = JsonDocument.Parse((await RawHttp.GetAsync(mirror.Url, "/v1/search?q=org")).Body).RootElement;
        Assert.Equal(["docker.io/org/public"], Names(found));
        Assert.Equal(1, found.GetProperty("num_results").GetInt32());
    }

    [Theory]
    [InlineData("/v1/_ping")]
    [InlineData("/")]
    public async Task Who_asks_whether_anybody_is_there_is_told_so(string path)
    {
        await using var scene = await StartAsync("library/alpine");

        Assert.Equal(200, (await scene.GetRawAsync(path)).Status);
        using var head = await scene.Mirror.SendAsync(HttpMethod.Head, path);
        Assert.Equal(200, (int)head.StatusCode);
    }

    private static async Task<Scene> StartAsync(params IReadOnlyList<string> cached)
    {
        var scene = await Scene.StartAsync();
        foreach (var name in cached)
        {
            scene.Upstream.Add(RepositoryName.Parse(name), Image, "1");
            Assert.Equal(200, (await scene.GetRawAsync($"/v2/{name}/manifests/1")).Status);
        }

        return scene;
    }

    /// <summary>An image without anything in it is enough to be found.</summary>
    private static async Task PushAsync(Scene scene, string name)
    {
        using var http = new HttpClient { BaseAddress = scene.Mirror.Url };
        using var index = new ByteArrayContent("""{"schemaVersion":2,"manifests":[]}"""u8.ToArray());
        index.Headers.ContentType = new(MediaTypes.OciIndex);
        using var answer = await http.PutAsync($"/v2/{name}/manifests/1", index);
        Assert.Equal(201, (int)answer.StatusCode);
    }

    private static async Task<JsonElement> SearchAsync(Scene scene, string query) =>
        JsonDocument.Parse((await scene.GetRawAsync($"/v1/search?{query}")).Body).RootElement;

    private static IEnumerable<string> Names(JsonElement found) =>
        found.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("name").GetString()!);
}
