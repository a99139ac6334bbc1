using Mirror.Storage;
using Mirror.Testing;
using Mirror.Tests.Administration;

namespace Mirror.Tests.Commands;

public sealed class RebuildCommandTests
{
    [Fact]
    public async Task A_lost_database_is_said_by_every_command_and_made_again_by_one()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var image = TestImage.Create(seed: 1);
        scene.Upstream.Add(Scene.Repository, image, "1");
        Assert.Equal(0, (await scene.RunAsync("warm", "alpine:1")).Code);
        var before = await scene.RunAsync("images");
        await scene.StopServingAsync();
        var database = new StoreLayout(scene.DataPath).Database;
        File.Delete(database);

        var images = await scene.RunAsync("images");
        var rebuild = await scene.RunAsync("rebuild");
        var again = await scene.RunAsync("rebuild");

        Assert.Equal((1, ""), (images.Code, images.Output));
        Assert.Contains("`mirror rebuild` makes it again", images.Error, StringComparison.Ordinal);
        Assert.Equal((0, ""), (rebuild.Code, rebuild.Error));
        Assert.Matches($"^{database}: made again from 3 files \\(.*\\) and [0-9]+ changes in the journal; 1 tags\n$", rebuild.Output);
        Assert.EndsWith($"{database}.old: the one that was there before\n", again.Output, StringComparison.Ordinal);
        Assert.Equal(before.Output, (await scene.RunAsync("images")).Output);
    }

    [Fact]
    public async Task It_is_refused_while_a_server_runs_and_nothing_is_touched()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        var files = Directory.GetFiles(scene.DataPath);

        var run = await scene.RunAsync("rebuild");

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Matches("^mirror: the data directory .* is in use by another process: .*: stop it first\n$", run.Error);
        Assert.Equal(files.Order(), Directory.GetFiles(scene.DataPath).Order());
    }

    [Fact]
    public async Task Without_a_data_directory_it_fails_and_makes_none()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);

        var run = await scene.RunAsync("rebuild");

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("there is no data directory", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(scene.DataPath));
    }

    [Fact]
    public async Task What_is_left_out_is_named_on_standard_error_without_control_characters_and_it_exits_with_3()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        await scene.StopServingAsync();
        File.WriteAllText(Path.Combine(scene.DataPath, "blobs", "sha256", "a\u001b[31m\nb"), "");

        var run = await scene.RunAsync("rebuild");

        Assert.Equal(3, run.Code);
        Assert.Equal("mirror: left out: blobs/sha256/a\\u001b[31m\\u000ab is no folder of published content\n", run.Error);
    }
}
