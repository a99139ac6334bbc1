using System.Net;
using System.Text.Json.Nodes;
using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Registries of CNCF Distribution, with something between them and the mirror that does harm.</summary>
public sealed class SyncTroubleTests : IAsyncLifetime
{
    private const int MiB = 1024 * 1024;

    private const string Copy =
        "jobs: { copy: { from: source, to: target, repositories: [team/app, team/tool], delete: true, deleteLimit: 100% } }";

    private DistributionRegistry _source = null!;
    private DistributionRegistry _target = null!;
    private Gateway _toSource = null!;
    private Gateway _toTarget = null!;
    private MirrorProcess _mirror = null!;

    public async Task InitializeAsync()
    {
        _source = await DistributionRegistry.StartAsync();
        _target = await DistributionRegistry.StartAsync();
        _toSource = await Gateway.StartAsync(_source.Url);
        _toTarget = await Gateway.StartAsync(_target.Url);
        _mirror = await MirrorProcess.ConfigureAsync(
            $"source: {{ url: {_toSource.Url}, pullThrough: false }}, target: {{ url: {_toTarget.Url}, pullThrough: false }}", Copy);
    }

    public async Task DisposeAsync()
    {
        await _mirror.DisposeAsync();
        await _toSource.DisposeAsync();
        await _toTarget.DisposeAsync();
        await _source.DisposeAsync();
        await _target.DisposeAsync();
    }

    /// <summary>
    /// It answers 500 to every third request, breaks two uploads off in the middle, and mounts nothing; the source wants to be left alone
    /// at first.
    /// </summary>
    [FactWith("docker-registry")]
    public async Task All_arrives_at_a_target_that_fails_again_and_again()
    {
        var images = ImagesOf("team/app", "team/tool");
        await PublishedImage.PushAsync(_source.Url, images);
        var drops = 2;
        _toTarget.Trouble = request =>
            request.Method == "PATCH" && Interlocked.Decrement(ref drops) >= 0 ? new Trouble { DropsAfter = MiB }
            : request.Number % 3 == 0 ? new Trouble { Answer = (500, ErrorBody("UNKNOWN")) }
            : request.Target.Contains("mount=", StringComparison.Ordinal) ? new Trouble { LosesQuery = true }
            : null;
        _toSource.Trouble = request => request.Number <= 3
            ? new Trouble { Answer = (429, ErrorBody("TOOMANYREQUESTS")), Header = ("Retry-After", "1") }
            : null;

        var run = (await _mirror.CommandAsync("sync", "run", "copy")).Succeeded();

        Assert.Empty(run.Error);
        Assert.True(drops < 0, "no upload was broken off");
        await PulledImage.AssertAreThereAsync(_target.Url, images);
    }

    [FactWith("docker-registry")]
    public async Task What_a_target_never_takes_is_listed_with_the_reason_and_all_else_is_there()
    {
        var images = ImagesOf("team/app", "team/tool");
        await PublishedImage.PushAsync(_source.Url, images);
        var refused = images[0];
        var path = $"/v2/{refused.Repository}/manifests/{refused.Tag}";
        _toTarget.Trouble = request =>
            request.Method != "PUT" || request.Target != path ? null
            : new Trouble { Answer = (403, ErrorBody("DENIED", "this tag is locked")) };

        var run = await _mirror.CommandAsync("sync", "run", "copy");

        Assert.True(run.ExitCode == 3, $"{run}");
        var missing = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"mirror: copy: {refused.Repository}:{refused.Tag}: ", missing, StringComparison.Ordinal);
        Assert.Contains("this tag is locked", missing, StringComparison.Ordinal);
        await PulledImage.AssertAreThereAsync(_target.Url, images.Except([refused]));
        Assert.DoesNotContain(refused.Tag, await PulledImage.ListTagsAsync(_target.Url, refused.Repository));
    }

    [FactWith("docker-registry")]
    public async Task A_blob_that_is_changed_on_the_way_is_never_at_the_target()
    {
        var images = ImagesOf("team/app", "team/tool");
        await PublishedImage.PushAsync(_source.Url, images);
        var bad = images[0];
        var layer = bad.Blobs[^1];
        _toSource.Trouble = request => request.IsFor(layer.Digest) ? new Trouble { FlipsByte = layer.Size / 2 } : null;

        var run = await _mirror.CommandAsync("sync", "run", "copy");

        Assert.True(run.ExitCode == 3, $"{run}");
        var missing = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"mirror: copy: {bad.Repository}:{bad.Tag}: ", missing, StringComparison.Ordinal);
        Assert.Contains($"{layer.Digest}", missing, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, await PulledImage.HeadAsync(_target.Url, $"/v2/{bad.Repository}/blobs/{layer.Digest}"));
        await PulledImage.AssertAreThereAsync(_target.Url, images.Except([bad]));
        Assert.DoesNotContain(bad.Tag, await PulledImage.ListTagsAsync(_target.Url, bad.Repository));
    }

    /// <summary>Distribution before 3.0 has no pages: what is between makes two of one.</summary>
    [FactWith("docker-registry")]
    public async Task A_listing_that_fails_half_way_or_comes_back_empty_deletes_nothing()
    {
        var images = ImagesOf("team/app", "team/tool");
        await PublishedImage.PushAsync(_source.Url, images);
        // Distribution would not delete a tag: another mirror does.
        await using var target = await MirrorProcess.StartAloneAsync();
        await _mirror.ReconfigureAsync(
            $"source: {{ url: {_toSource.Url}, pullThrough: false }}, target: {{ url: {target.Url}, pullThrough: false }}", Copy);
        (await _mirror.CommandAsync("sync", "run", "copy")).Succeeded();
        var isEmpty = false;
        _toSource.Trouble = request => !request.Target.StartsWith("/v2/team/app/tags/list", StringComparison.Ordinal) ? null
            : isEmpty ? new Trouble { Answer = (200, List()) }
            : request.Target.Contains("last=", StringComparison.Ordinal) ? new Trouble { Answer = (500, "{}") }
            : new Trouble { Answer = (200, List("v0")), Header = ("Link", "</v2/team/app/tags/list?last=v0&n=1>; rel=\"next\"") };

        var failed = await _mirror.CommandAsync("sync", "run", "copy");
        isEmpty = true;
        var empty = await _mirror.CommandAsync("sync", "run", "copy");

        Assert.True(failed.ExitCode == 3, $"{failed}");
        Assert.Contains("mirror: copy: team/app: its tags are not known: ", failed.Error, StringComparison.Ordinal);
        Assert.True(empty.ExitCode == 3, $"{empty}");
        Assert.Contains(
            "mirror: copy: team/app: source lists no tags, where it had 3: they are kept", empty.Error, StringComparison.Ordinal);
        await PulledImage.AssertAreThereAsync(target.Url, images);

        static string List(params string[] tags) =>
            new JsonObject { ["name"] = "team/app", ["tags"] = new JsonArray([.. tags.Select(tag => (JsonNode)tag)]) }.ToJsonString();
    }

    /// <summary>In each repository an image of its own with a large layer, and two that the other repositories have as well.</summary>
    private static PublishedImage[] ImagesOf(params string[] repositories) =>
    [
        .. repositories.SelectMany((repository, number) => Enumerable.Range(0, 3).Select(tag => PublishedImage.Of(
            repository,
            $"v{tag}",
            tag == 0 ? TestImage.Create(layerSize: 2 * MiB, seed: 100 + number) : TestImage.Create(layers: 2, seed: tag)))),
    ];

    private static string ErrorBody(string code, string message = "the test wants it") =>
        $$"""{"errors":[{"code":"{{code}}","message":"{{message}}"}]}""";
}
