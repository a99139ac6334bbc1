using Mirror.Testing;

namespace Mirror.Tests.Administration;

public sealed class RefreshTests
{
    private const string Name = "docker.io/library/alpine:3.20";
    private const string Path = "/v2/library/alpine/manifests/3.20";

    private static readonly TestImage Old = TestImage.Create(seed: 1);
    private static readonly TestImage New = TestImage.Create(seed: 2);

    [Fact]
    public async Task An_immutable_tag_that_has_moved_all_the_same_is_asked_about_and_followed()
    {
        await using var scene = await CommandScene.StartAsync(serving: true, options: ", immutableTags: [\"3.*\"]");
        scene.Upstream.Add(CommandScene.Repository, Old, "3.20");
        await scene.GetExactlyAsync(Path, Old.Manifest);
        scene.Upstream.Add(CommandScene.Repository, New, "3.20");
        await scene.GetExactlyAsync(Path, Old.Manifest);

        var run = await scene.RunAsync("refresh", "alpine:3.20");

        Assert.Equal((0, $"{Name}: moved from {Old.Digest} to {New.Digest}\n", ""), (run.Code, run.Output, run.Error));
        await scene.GetExactlyAsync(Path, New.Manifest);
    }

    [Fact]
    public async Task A_fresh_tag_that_has_not_moved_is_unchanged()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        scene.Upstream.Add(CommandScene.Repository, Old, "3.20");
        await scene.RunAsync("warm", "alpine:3.20");
        scene.Upstream.ClearRequests();

        var run = await scene.RunAsync("refresh", "alpine:3.20", "--json");

        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal("unchanged", run.Json[0].GetProperty("outcome").GetString());
        Assert.Equal(Old.Digest.ToString(), run.Json[0].GetProperty("before").GetString());
        Assert.Equal(Old.Digest.ToString(), run.Json[0].GetProperty("after").GetString());
        Assert.Equal(1, scene.Upstream.Count(HttpMethod.Head, CommandScene.Repository, "3.20"));
    }

    [Fact]
    public async Task A_tag_that_did_not_exist_a_moment_ago_is_found()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        Assert.Equal(404, (await scene.GetAsync(Path)).Status);
        scene.Upstream.Add(CommandScene.Repository, New, "3.20");
        Assert.Equal(404, (await scene.GetAsync(Path)).Status);

        var run = await scene.RunAsync("refresh", "alpine:3.20");

        Assert.Equal((0, $"{Name}: new, {New.Digest}\n", ""), (run.Code, run.Output, run.Error));
        await scene.GetExactlyAsync(Path, New.Manifest);
    }

    [Fact]
    public async Task A_tag_that_upstream_has_no_more_is_gone_here_too()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        scene.Upstream.Add(CommandScene.Repository, Old, "3.20");
        await scene.GetExactlyAsync(Path, Old.Manifest);
        scene.Upstream.Untag(CommandScene.Repository, "3.20");

        var run = await scene.RunAsync("refresh", "alpine:3.20");

        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.StartsWith($"{Name}: gone, it was {Old.Digest}: ", run.Output, StringComparison.Ordinal);
        Assert.Equal(404, (await scene.GetAsync(Path)).Status);
    }

    [Fact]
    public async Task A_registry_that_can_not_be_asked_is_said_and_the_others_are_asked_all_the_same()
    {
        await using var lab = await FakeRegistry.StartAsync();
        await using var scene = await CommandScene.StartAsync(serving: true, lab: lab);
        scene.Upstream.Add(CommandScene.Repository, Old, "3.20");
        await scene.GetExactlyAsync(Path, Old.Manifest);
        await lab.StopAsync();

        var some = await scene.RunAsync("refresh", "lab/team/app:1", "alpine:3.20", "--json");
        await scene.Upstream.StopAsync();
        var none = await scene.RunAsync("refresh", "lab/team/app:1", "alpine:3.20");

        Assert.Equal(3, some.Code);
        Assert.Equal(["failed", "unchanged"], some.Json.EnumerateArray().Select(image => image.GetProperty("outcome").GetString()));
        Assert.StartsWith("mirror: lab/team/app:1: ", some.Error, StringComparison.Ordinal);
        Assert.Equal((1, ""), (none.Code, none.Output));
        Assert.Equal(2, none.Error.TrimEnd().Split('\n').Length);
        await scene.GetExactlyAsync(Path, Old.Manifest);
    }

    [Fact]
    public async Task What_is_here_of_an_offline_registry_is_not_asked_about_and_stays()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        scene.Upstream.Add(CommandScene.Repository, Old, "3.20");
        await scene.GetExactlyAsync(Path, Old.Manifest);
        await scene.ReconfigureAsync(", offline: true");

        var run = await scene.RunAsync("refresh", "alpine:3.20");

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("offline", run.Error, StringComparison.Ordinal);
        await scene.GetExactlyAsync(Path, Old.Manifest);
    }

    [Theory]
    [InlineData("refresh")]
    [InlineData("warm")]
    public async Task What_may_not_be_pulled_through_is_not_for_commands_either(string command)
    {
        await using var scene = await CommandScene.StartAsync(serving: true, options: ", allow: [\"team/**\"]");
        scene.Upstream.Add(CommandScene.Repository, Old, "3.20");

        var run = await scene.RunAsync(command, "alpine:3.20");

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("does not include library/alpine", run.Error, StringComparison.Ordinal);
        Assert.Empty(scene.Upstream.Requests);
    }
}
