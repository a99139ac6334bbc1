using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>Every way in which a request can name its upstream, and which of two wins.</summary>
public sealed class DoorTests : IAsyncLifetime
{
    private const string Tag = "1";

    private readonly Dictionary<string, (FakeRegistry Upstream, TestImage Image)> _registries = [];
    private MirrorHost _mirror = null!;

    /// <summary>docker.io (the default), ghcr.io, and two that clients know by a host with a port: lab, and part, which is behind a path.</summary>
    public async Task InitializeAsync()
    {
        foreach (var (name, seed) in new[] { ("docker.io", 1), ("ghcr.io", 2), ("lab", 3), ("part", 4) })
        {
            var upstream = await FakeRegistry.StartAsync();
            var image = TestImage.Create(layers: 1, layerSize: 1000, seed);
            foreach (var repository in new[] { "library/alpine", "org/img", "v2/app", "ghcr.io/org/img" })
            {
                upstream.Add(RepositoryName.Parse(repository), image, Tag);
            }

            _registries[name] = (upstream, image);
        }

        _mirror = await MirrorHost.StartAsync(
        [
            MirrorHost.Registry("docker.io", Upstream("docker.io")) with { Default = true },
            MirrorHost.Registry("ghcr.io", Upstream("ghcr.io")),
            MirrorHost.Registry("lab", Upstream("lab")) with { Host = "lab.mirror.lan" },
            MirrorHost.Registry("part", Upstream("part")) with { Url = new Uri(Upstream("part").Url, "/behind/a/path") },
        ]);
    }

    public async Task DisposeAsync()
    {
        await _mirror.DisposeAsync();
        foreach (var (upstream, _) in _registries.Values)
        {
            await upstream.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("/v2/library/alpine", null, "docker.io", "library/alpine")]
    [InlineData("/v2/alpine", null, "docker.io", "library/alpine")]
    [InlineData("/v2/docker.io/alpine", null, "docker.io", "library/alpine")]
    [InlineData("/v2/index.docker.io/library/alpine", null, "docker.io", "library/alpine")]
    [InlineData("/registry-1.docker.io/v2/alpine", null, "docker.io", "library/alpine")]
    [InlineData("/ghcr.io/v2/org/img", null, "ghcr.io", "org/img")]
    [InlineData("/v2/ghcr.io/org/img", null, "ghcr.io", "org/img")]
    [InlineData("/v2/ghcr.io/v2/org/img", null, "ghcr.io", "org/img")]
    [InlineData("/ghcr.io/v2/v2/app", null, "ghcr.io", "v2/app")]
    [InlineData("/v2/org/img?ns=ghcr.io", null, "ghcr.io", "org/img")]
    [InlineData("/v2/org/img?ns=GHCR.io", null, "ghcr.io", "org/img")]
    [InlineData("/v2/alpine?ns=docker.io", null, "docker.io", "library/alpine")]
    [InlineData("/v2/library/alpine?ns=index.docker.io", null, "docker.io", "library/alpine")]
    [InlineData("/v2/library/alpine?ns=registry-1.docker.io", null, "docker.io", "library/alpine")]
    [InlineData("/v2/org/img?ns=lab", null, "lab", "org/img")]
    [InlineData("/v2/org/img?ns={lab}", null, "lab", "org/img")]
    [InlineData("/v2/org/img?ns=", null, "docker.io", "org/img")]
    [InlineData("/v2/org/img", "lab.mirror.lan", "lab", "org/img")]
    [InlineData("/v2/org/img", "LAB.mirror.lan:8443", "lab", "org/img")]
    [InlineData("/v2/ghcr.io/org/img", "lab.mirror.lan", "lab", "ghcr.io/org/img")]
    [InlineData("/ghcr.io/v2/org/img", "lab.mirror.lan", "ghcr.io", "org/img")]
    [InlineData("/v2/org/img?ns=ghcr.io", "lab.mirror.lan", "lab", "org/img")]
    [InlineData("/ghcr.io/v2/org/img?ns=lab", null, "ghcr.io", "org/img")]
    [InlineData("/v2/ghcr.io/org/img?ns=docker.io", null, "ghcr.io", "org/img")]
    [InlineData("/v2/ghcr.io/org/img?ns=nobody.example", null, "ghcr.io", "org/img")]
    [InlineData("/v2/org/img", "elsewhere.mirror.lan", "docker.io", "org/img")]
    public async Task A_door_leads_to_its_registry_alone(string path, string? host, string registry, string repository)
    {
        var answer = await AskAsync($"{path.Split('?')[0]}/manifests/{Tag}{Query(path)}", host);

        Assert.Equal(200, answer.Status);
        Assert.Equal(Image(registry).Digest.ToString(), answer.Head.Headers["Docker-Content-Digest"]);
        Assert.All(Upstream(registry).Requests, request => Assert.Equal($"/v2/{repository}/manifests/{Tag}", request.Target));
        Assert.All(_registries.Where(other => other.Key != registry), other => Assert.Empty(other.Value.Upstream.Requests));
    }

    [Theory]
    [InlineData("/v2/org/img/manifests/1?ns=nobody.example")]
    [InlineData("/v2/org/img/tags/list?ns=nobody.example")]
    [InlineData("/v2/org/img/manifests/1?ns=127.0.0.1:1")]
    [InlineData("/v2/org/img/manifests/1?ns=ghcr.io&ns=lab")]
    [InlineData("/v2/org/img/manifests/1?ns={part}")]
    [InlineData("/v2/quay.io/org/img/manifests/1?ns=docker.io")]
    [InlineData("/v2/_catalog?ns=nobody.example")]
    public async Task A_name_of_no_configured_registry_is_unknown_and_nobody_is_asked(string path)
    {
        var answer = await AskAsync(path);

        Assert.Equal(404, answer.Status);
        Assert.Contains("NAME_UNKNOWN", answer.Text, StringComparison.Ordinal);
        Assert.All(_registries.Values, registry => Assert.Empty(registry.Upstream.Requests));
    }

    [Theory]
    [InlineData("/v2/org/img/manifests/1?ns=ghcr.io", 200, "ghcr.io")]
    [InlineData("/v2/org/img/manifests/2?ns=ghcr.io", 404, "ghcr.io")]
    [InlineData("/v2/org/img/manifests/1?ns=Index.Docker.io", 200, "Index.Docker.io")]
    [InlineData("/v2/docker.io/org/img/tags/list?ns=docker.io", 200, "docker.io")]
    [InlineData("/v2/ghcr.io/org/img/manifests/1?ns=docker.io", 200, null)]
    [InlineData("/v2/org/img/manifests/1", 200, null)]
    public async Task An_answer_says_which_namespace_it_is_for(string path, int status, string? ns)
    {
        var answer = await AskAsync(path);

        Assert.Equal(status, answer.Status);
        Assert.Equal(ns, answer.Head.Headers.GetValueOrDefault("OCI-Namespace"));
    }

    [Theory]
    [InlineData("/v2/")]
    [InlineData("/v2")]
    [InlineData("/ghcr.io/v2/")]
    [InlineData("/lab/v2")]
    [InlineData("/v2/ghcr.io/v2/")]
    [InlineData("/v2/?ns=ghcr.io")]
    public async Task A_ping_is_answered_at_every_door_without_a_challenge(string path)
    {
        var answer = await AskAsync(path);

        Assert.Equal((200, "{}"), (answer.Status, answer.Text));
        Assert.False(answer.Head.Headers.ContainsKey("WWW-Authenticate"));
    }

    [Theory]
    [InlineData("/v2/org/img/tags/list?n=1&ns=ghcr.io")]
    [InlineData("/v2/ghcr.io/v2/org/img/tags/list?n=1")]
    [InlineData("/ghcr.io/v2/org/img/tags/list?ns=ghcr.io&n=1")]
    public async Task A_link_keeps_the_door_by_which_the_client_came(string path)
    {
        Upstream("ghcr.io").Tag(RepositoryName.Parse("org/img"), "2", Image("ghcr.io").Digest);

        var first = await AskAsync(path);
        var link = first.Head.Headers["Link"];
        var second = await AskAsync(link[1..link.IndexOf('>', StringComparison.Ordinal)]);

        Assert.Contains("[\"1\"]", first.Text, StringComparison.Ordinal);
        Assert.Contains("[\"2\"]", second.Text, StringComparison.Ordinal);
        Assert.Equal(first.Head.Headers.GetValueOrDefault("OCI-Namespace"), second.Head.Headers.GetValueOrDefault("OCI-Namespace"));
    }

    [Theory]
    [InlineData("POST", "/v2/org/img/blobs/uploads/?ns=ghcr.io")]
    [InlineData("PUT", "/ghcr.io/v2/org/img/manifests/1")]
    [InlineData("PATCH", "/v2/ghcr.io/org/img/blobs/uploads/0123456789abcdef0123456789abcdef")]
    [InlineData("DELETE", "/v2/org/img/manifests/1")]
    public async Task A_push_to_an_upstreams_name_is_unsupported_at_every_door(string method, string path)
    {
        var answer = await RawHttp.SendAsync(_mirror.Url, RawHttp.Request(_mirror.Url, method, path));

        Assert.Equal(405, answer.Status);
        Assert.Contains("UNSUPPORTED", answer.Text, StringComparison.Ordinal);
        Assert.All(_registries.Values, registry => Assert.Empty(registry.Upstream.Requests));
    }

    [Fact]
    public async Task One_image_is_one_cache_entry_whatever_door_it_is_pulled_through()
    {
        await AskAsync($"/v2/library/alpine/manifests/{Tag}");
        Upstream("docker.io").ClearRequests();

        foreach (var path in new[] { "/v2/docker.io/alpine", "/docker.io/v2/library/alpine", "/v2/index.docker.io/alpine" })
        {
            Assert.Equal(200, (await AskAsync($"{path}/manifests/{Tag}?ns=docker.io")).Status);
        }

        Assert.Empty(Upstream("docker.io").Requests);
    }

    private FakeRegistry Upstream(string registry) => _registries[registry].Upstream;

    private TestImage Image(string registry) => _registries[registry].Image;

    private static string Query(string path) => path.Contains('?') ? path[path.IndexOf('?', StringComparison.Ordinal)..] : "";

    /// <summary><c>{lab}</c> stands for that upstream's host and port.</summary>
    private Task<RawResponse> AskAsync(string target, string? host = null)
    {
        var path = target.Replace("{lab}", Upstream("lab").Host, StringComparison.Ordinal).Replace("{part}", Upstream("part").Host, StringComparison.Ordinal);
        return RawHttp.SendAsync(_mirror.Url, $"GET {path} HTTP/1.1\r\nHost: {host ?? _mirror.Url.Authority}\r\n\r\n");
    }
}
