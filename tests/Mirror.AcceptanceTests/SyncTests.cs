using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Two registries of CNCF Distribution, and a mirror that copies from the one to the other by command, without a server.</summary>
public sealed class SyncTests : IAsyncLifetime
{
    private const string Copy = "jobs: { copy: { from: source, to: target, repositories: [team/app, team/tool, team/web] } }";

    private static readonly string[] Repositories = ["team/app", "team/tool", "team/web"];

    private DistributionRegistry _source = null!;
    private DistributionRegistry _target = null!;
    private (int Source, int Target) _forgotten;

    public async Task InitializeAsync()
    {
        _source = await DistributionRegistry.StartAsync();
        _target = await DistributionRegistry.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _source.DisposeAsync();
        await _target.DisposeAsync();
    }

    [FactWith("docker-registry", "skopeo", "dpkg-query")]
    public async Task Sixty_tags_are_copied_once_and_then_cost_a_HEAD_each_unless_they_never_move()
    {
        var images = await DebianImagesAsync();
        await PublishedImage.PushAsync(_source.Url, images);
        await using var mirror = await MirrorProcess.ConfigureAsync(Registries(_source.Url, _target.Url), Copy);

        (await mirror.CommandAsync("sync", "run", "copy")).Succeeded();

        await PulledImage.AssertAreThereAsync(_target.Url, images);
        await Parallel.ForEachAsync(images, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (image, _) =>
            Assert.Equal(await InspectAsync(_source.Host, image), await InspectAsync(_target.Host, image)));

        await ForgetRequestsAsync();
        (await mirror.CommandAsync("sync", "run", "copy")).Succeeded();

        var (atSource, atTarget) = await RequestsAsync();
        Assert.Empty(atTarget);
        Assert.Equal(60, atSource.Count(IsHead));
        Assert.Equal(3, atSource.Count(IsListing));
        Assert.Empty(Others(atSource));

        await mirror.ReconfigureAsync(Registries(_source.Url, _target.Url, ", immutableTags: [\"v*\"]"), Copy);
        (await mirror.CommandAsync("sync", "run", "copy")).Succeeded();

        (atSource, atTarget) = await RequestsAsync();
        Assert.Empty(atTarget);
        Assert.Equal("HEAD /v2/team/web/manifests/latest", Assert.Single(atSource, IsHead));
        Assert.Equal(3, atSource.Count(IsListing));
        Assert.Empty(Others(atSource));
    }

    /// <summary>Distribution before 3.0 deletes no tag alone.</summary>
    [FactWith("docker-registry")]
    public async Task One_tag_moved_one_added_and_one_deleted_is_what_is_planned_and_what_is_done()
    {
        string[] tags = ["kept", "gone", "moved"];
        PublishedImage[] before = [.. tags.Select((tag, number) => PublishedImage.Of("team/app", tag, TestImage.Create(seed: number)))];
        await PublishedImage.PushAsync(_source.Url, before);
        await using var target = await MirrorProcess.StartAloneAsync();
        await using var mirror = await MirrorProcess.ConfigureAsync(
            $"{Registries(_source.Url, _target.Url)}, mirror: {{ url: {target.Url}, pullThrough: false }}",
            """
            jobs: {
              copy: { from: source, to: mirror, repositories: [team/app], delete: true },
              old: { from: source, to: target, repositories: [team/app], delete: true } }
            """);
        (await mirror.CommandAsync("sync", "run", "copy", "old")).Succeeded();
        PublishedImage[] after =
        [
            before[0],
            PublishedImage.Of("team/app", "moved", TestImage.Create(seed: 10)),
            PublishedImage.Of("team/app", "added", TestImage.Create(seed: 11)),
        ];
        using var pusher = new HttpPusher(_source.Url);
        await pusher.DeleteAsync("team/app", $"{before[1].Root.Digest}");
        await PublishedImage.PushAsync(_source.Url, after[1..]);

        var plan = JsonNode.Parse((await mirror.CommandAsync("sync", "plan", "copy", "--json")).Succeeded().Output)!;

        Assert.Equal(
            ["added copy", "gone delete", "kept up-to-date", "moved update"],
            plan["images"]!.AsArray().Select(image => $"{image!["tag"]} {image["action"]}").Order(StringComparer.Ordinal));
        await PulledImage.AssertAreThereAsync(target.Url, before);

        var run = (await mirror.CommandAsync("sync", "run", "copy")).Succeeded();

        Assert.Equal(
            [
                "copy: copied team/app:added to team/app:added",
                "copy: deleted team/app:gone",
                "copy: updated team/app:moved from team/app:moved",
            ],
            run.Output.Split('\n').Where(line => line.Contains("team/app", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        await PulledImage.AssertAreThereAsync(target.Url, after);
        Assert.Equal(["added", "kept", "moved"], (await PulledImage.ListTagsAsync(target.Url, "team/app")).Order(StringComparer.Ordinal));

        // Another tag of the image that goes stays.
        await PublishedImage.PushAsync(_target.Url, [before[1] with { Tag = "theirs" }]);
        (await mirror.CommandAsync("sync", "run", "old")).Succeeded();

        Assert.Equal(["added", "kept", "moved", "theirs"], (await PulledImage.ListTagsAsync(_target.Url, "team/app")).Order(StringComparer.Ordinal));
        await PulledImage.AssertAreThereAsync(_target.Url, [.. after, before[1] with { Tag = "theirs" }]);
    }

    /// <summary>
    /// Which platforms are copied, and what comes along with an image. The source is a mirror, and one of the targets: Distribution before
    /// 3.0 lists no referrers, and takes no index of which only a part is there.
    /// </summary>
    [FactWith("docker-registry", "skopeo")]
    public async Task Signatures_and_referrers_come_along_and_platforms_stay_behind()
    {
        await using var source = await MirrorProcess.StartAloneAsync();
        await using var target = await MirrorProcess.StartAloneAsync();
        var index = TestIndex.Create(seed: 1);
        var (here, elsewhere) = (index.Images[0], index.Images[1]);
        PublishedImage[] images =
        [
            PublishedImage.Of("team/app", "1.0", index),
            PublishedImage.Of("team/app", PublishedImage.SignatureTag(index.Digest), TestImage.Create(seed: 2)),
        ];
        PublishedImage[] referrers =
        [
            Referrer(index.Manifest, "application/vnd.example.sbom", seed: 3),
            Referrer(here.Manifest, "application/vnd.example.scan", seed: 4),
        ];
        await PublishedImage.PushAsync(source.Url, [.. images, .. referrers]);
        await using var mirror = await MirrorProcess.ConfigureAsync(
            $"{Registries(source.Url, _target.Url)}, mirror: {{ url: {target.Url}, pullThrough: false }}",
            """
            jobs: {
              whole: { from: source, to: mirror, repositories: [team/app] },
              sparse: { from: source, to: mirror/sparse, repositories: [team/app], platforms: [linux/amd64], index: sparse },
              refused: { from: source, to: target/sparse, repositories: [team/app], platforms: [linux/amd64], index: sparse },
              rewrite: { from: source, to: target, repositories: [team/app], platforms: [linux/amd64], index: rewrite } }
            """);

        (await mirror.CommandAsync("sync", "run", "whole")).Succeeded();

        await PulledImage.AssertAreThereAsync(target.Url, [.. images, .. referrers]);
        foreach (var subject in (Digest[])[index.Digest, here.Digest])
        {
            var listed = await ReferrersAsync(source, "team/app", subject);
            Assert.Single(JsonNode.Parse(listed)!["manifests"]!.AsArray());
            Assert.Equal(listed, await ReferrersAsync(target, "team/app", subject));
        }

        (await mirror.CommandAsync("sync", "run", "sparse")).Succeeded();

        await PulledImage.AssertAreThereAsync(target.Url, PublishedImage.Of("sparse/team/app", $"{here.Digest}", here));
        var sparse = "/v2/sparse/team/app";
        var copied = images[0] with { Repository = "sparse/team/app" };
        Assert.Equal(await InspectAsync(source.Host, images[0]), await InspectAsync(target.Host, copied));
        Assert.Equal(HttpStatusCode.OK, await PulledImage.HeadAsync(target.Url, $"{sparse}/manifests/{index.Digest}"));
        Assert.Equal(HttpStatusCode.NotFound, await PulledImage.HeadAsync(target.Url, $"{sparse}/manifests/{elsewhere.Digest}"));
        Assert.Equal(HttpStatusCode.NotFound, await PulledImage.HeadAsync(target.Url, $"{sparse}/blobs/{elsewhere.Layer.Digest}"));

        var refused = await mirror.CommandAsync("sync", "run", "refused");

        Assert.True(refused.ExitCode == 1, $"{refused}");
        Assert.Contains("team/app:1.0", refused.Error, StringComparison.Ordinal);
        Assert.Contains("`index: rewrite`", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("1.0", await PulledImage.ListTagsAsync(_target.Url, "sparse/team/app"));

        (await mirror.CommandAsync("sync", "run", "rewrite")).Succeeded();

        var rewritten = JsonNode.Parse(await InspectAsync(_target.Host, images[0]))!;
        Assert.Equal($"{index.Digest}", (string?)rewritten["annotations"]!["mirror.index.original.digest"]);
        Assert.Equal($"{here.Digest}", (string?)Assert.Single(rewritten["manifests"]!.AsArray())!["digest"]);
        await PulledImage.AssertIsWholeAsync(_target.Url, "team/app");
        using var folder = new TemporaryDirectory();
        (await Command.RunAsync("skopeo",
        [
            "--insecure-policy", "--override-arch", "amd64", "copy", "--src-tls-verify=false",
            $"docker://{_target.Host}/team/app:1.0", $"dir:{folder.Path}",
        ])).Succeeded();
        Assert.Equal(here.Digest, Digest.Sha256(await File.ReadAllBytesAsync(folder.Combine("manifest.json"))));
    }

    private static PublishedImage Referrer(TestBlob subject, string artifactType, int seed)
    {
        var artifact = TestImage.Create(seed: seed, subject: subject.Descriptor with { Platform = null }, artifactType: artifactType);
        return PublishedImage.Of("team/app", $"{artifact.Digest}", artifact);
    }

    private static async Task<string> ReferrersAsync(MirrorProcess registry, string repository, Digest subject)
    {
        using var http = new HttpClient { BaseAddress = registry.Url };
        return await http.GetStringAsync($"/v2/{repository}/referrers/{subject}");
    }

    private static string Registries(Uri source, Uri target, string ofSource = "") =>
        $"source: {{ url: {source}, pullThrough: false{ofSource} }}, target: {{ url: {target}, pullThrough: false }}";

    /// <summary>Twenty tags in each repository, one of them an index; and a signature. All share the layers of a few packages.</summary>
    private static async Task<PublishedImage[]> DebianImagesAsync()
    {
        ImageLayer[] shared =
        [
            ImageLayer.OfRoot(),
            await ImageLayer.OfPackagesAsync("base-files"),
            await ImageLayer.OfPackagesAsync("libc6"),
            await ImageLayer.OfPackagesAsync("libtinfo6", "bash"),
        ];
        var images = Repositories.SelectMany(repository => Enumerable.Range(0, 20).Select(number =>
        {
            var tag = repository == "team/web" && number == 0 ? "latest" : $"v{number}";
            var image = Image("amd64", repository, tag);
            return number == 1
                ? PublishedImage.OfIndex(repository, tag, image, Image("arm64", repository, tag))
                : PublishedImage.Of(repository, tag, image);
        })).ToList();
        return [.. images, PublishedImage.Of("team/app", PublishedImage.SignatureTag(images[0].Root.Digest), TestImage.Create(seed: 1))];

        BuiltImage Image(string architecture, string repository, string tag) => BuiltImage.Of(
            new Platform("linux", architecture),
            ["/bin/bash"],
            [.. shared, ImageLayer.OfFile("version", Encoding.UTF8.GetBytes($"{repository}:{tag} {architecture}"))]);
    }

    private static async Task<string> InspectAsync(string host, PublishedImage image) => (await Command.RunAsync(
        "skopeo", ["inspect", "--raw", "--tls-verify=false", $"docker://{host}/{image.Repository}:{image.Tag}"])).Succeeded().Output;

    private static bool IsListing(string request) =>
        request.StartsWith("GET ", StringComparison.Ordinal) && request.Split('?')[0].EndsWith("/tags/list", StringComparison.Ordinal);

    private static bool IsHead(string request) =>
        request.StartsWith("HEAD ", StringComparison.Ordinal) && request.Contains("/manifests/", StringComparison.Ordinal);

    /// <summary>The one that finds out how to log in may come too.</summary>
    private static IEnumerable<string> Others(IEnumerable<string> requests) =>
        requests.Where(request => !IsListing(request) && !IsHead(request) && request != "GET /v2/");

    private async Task ForgetRequestsAsync()
    {
        await _source.RestartAsync();
        await _target.RestartAsync();
        _forgotten = (_source.MirrorRequests.Count, _target.MirrorRequests.Count);
    }

    /// <summary>What came since the last time: method and target.</summary>
    private async Task<(IReadOnlyList<string> Source, IReadOnlyList<string> Target)> RequestsAsync()
    {
        var (source, target) = _forgotten;
        await ForgetRequestsAsync();
        return (Lines(_source, source), Lines(_target, target));

        static IReadOnlyList<string> Lines(DistributionRegistry registry, int from) =>
            [.. registry.MirrorRequests.Skip(from).Select(line => string.Join(' ', line.Split('"')[1].Split(' ')[..2]))];
    }
}
