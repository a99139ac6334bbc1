using System.Text.Json;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>The catalog of what was pushed and what is cached, together.</summary>
public sealed class CatalogTests : IAsyncDisposable
{
    // Names of our own that sort before, between and behind those of the registries.
    private static readonly string[] Own = ["a", "a.example-x/app", "a.example0", "b/c", "b-c/d", "b.examplez/app", "zz"];

    private FakeRegistry? _upstream;
    private MirrorHost? _mirror;

    private FakeRegistry Upstream => _upstream!;

    private MirrorHost Mirror => _mirror!;

    public async ValueTask DisposeAsync()
    {
        await Mirror.DisposeAsync();
        await Upstream.DisposeAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(150)]
    [InlineData(1000)]
    public async Task Pages_have_every_name_once_in_the_order_of_their_bytes_and_are_full_but_for_the_last(int n)
    {
        var names = await StartAsync();

        var pages = await ReadPagesAsync($"/v2/_catalog?n={n}");

        Assert.Equal(names.Order(StringComparer.Ordinal), pages.SelectMany(page => page));
        Assert.All(pages.SkipLast(1), page => Assert.Equal(n, page.Count));
    }

    [Fact]
    public async Task One_registrys_pages_have_its_names_as_it_calls_them()
    {
        var names = await StartAsync();

        var pages = await ReadPagesAsync("/v2/_catalog?n=3&ns=a.example");

        const string prefix = "a.example/";
        Assert.Equal(
            names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => name[prefix.Length..]).Order(StringComparer.Ordinal),
            pages.SelectMany(page => page));
    }

    [Fact]
    public async Task What_may_not_be_seen_or_has_no_tags_is_passed_over_and_pages_are_full_all_the_same()
    {
        var names = await StartAsync();
        await Mirror.RestartAsync([Registry("a.example") with { Allow = [RepositoryPattern.Parse("team/app-1*")] }, Registry("c.example")]);
        Assert.Equal(202, (await SendAsync("DELETE", "/v2/zz/manifests/1")).Status);

        var pages = await ReadPagesAsync("/v2/_catalog?n=4");

        var seen = names.Where(name => !name.StartsWith("b.example/", StringComparison.Ordinal) && name != "zz"
            && (!name.StartsWith("a.example/", StringComparison.Ordinal) || name.StartsWith("a.example/team/app-1", StringComparison.Ordinal)));
        Assert.Equal(seen.Order(StringComparer.Ordinal), pages.SelectMany(page => page));
        Assert.All(pages.SkipLast(1), page => Assert.Equal(4, page.Count));
    }

    [Theory]
    [InlineData("a.example", "a.example-x/app")]
    [InlineData("a.example/", "a.example/team/app-0")]
    [InlineData("a.example/team/app-99", "a.example0")]
    [InlineData("a.example/~", "a.example0")]
    [InlineData("b.example/\u00e9", "b.examplez/app")]
    public async Task A_page_begins_behind_any_text(string last, string next)
    {
        await StartAsync();

        var answer = await RawHttp.GetAsync(Mirror.Url, $"/v2/_catalog?n=1&last={Uri.EscapeDataString(last)}");

        Assert.Equal([next], NamesIn(answer));
    }

    /// <returns>All names that the catalog has then.</returns>
    private async Task<IReadOnlyList<string>> StartAsync()
    {
        _upstream = await FakeRegistry.StartAsync();
        _mirror = await MirrorHost.StartAsync([Registry("b.example"), Registry("a.example")]);
        var index = TestIndex.Of(ImageFormat.Oci).Manifest;
        var pushed = await Task.WhenAll(Own.Select(name => SendAsync("PUT", $"/v2/{name}/manifests/1", index)));
        Assert.All(pushed.Zip(Own), answer => Assert.Equal(201, answer.First.Status));

        string[] cached = [.. Enumerable.Range(0, 130).Select(i => $"a.example/team/app-{i}"), "b.example/team/app-0", "b.example/a"];
        foreach (var name in cached)
        {
            var there = RepositoryName.Parse(name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..]);
            _upstream.Add(there, TestImage.Create(layers: 1, layerSize: 10, seed: 1), "1");
        }

        var pulled = await Task.WhenAll(cached.Select(name => RawHttp.GetAsync(Mirror.Url, $"/v2/{name}/manifests/1")));
        Assert.All(pulled, answer => Assert.Equal(200, answer.Status));
        return [.. Own, .. cached];
    }

    private RegistryOptions Registry(string name) => MirrorHost.Registry(name, Upstream);

    private async Task<RawResponse> SendAsync(string method, string path, TestBlob? content = null)
    {
        using var connection = await RawHttp.ConnectAsync(Mirror.Url);
        await connection.SendAsync(RawHttp.Request(
            Mirror.Url, method, path, $"Content-Type: {content?.MediaType}", $"Content-Length: {content?.Size ?? 0}"));
        await connection.SendAsync(content?.Content ?? default);
        return await connection.ReadResponseAsync();
    }

    private async Task<IReadOnlyList<IReadOnlyList<string>>> ReadPagesAsync(string path)
    {
        var pages = new List<IReadOnlyList<string>>();
        for (string? next = path; next is not null;)
        {
            var answer = await RawHttp.GetAsync(Mirror.Url, next);
            pages.Add(NamesIn(answer));
            next = answer.Head.Headers.GetValueOrDefault("Link") is { } link ? link[1..link.IndexOf('>', StringComparison.Ordinal)] : null;
        }

        return pages;
    }

    private static string[] NamesIn(RawResponse answer) =>
        [.. JsonDocument.Parse(answer.Body).RootElement.GetProperty("repositories").EnumerateArray().Select(name => name.GetString()!)];
}
