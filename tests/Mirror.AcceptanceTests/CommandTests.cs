using System.Text.Json;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>Commands that ask the server which has the store, as users run them.</summary>
public sealed class CommandTests
{
    private static readonly RepositoryName Repository = RepositoryName.Parse("library/large");

    [Fact]
    public async Task What_was_warmed_beside_a_server_is_there_for_a_command_and_for_clients_after_it_was_killed_and_upstream_is_gone()
    {
        var image = TestImage.Create(layers: 3, layerSize: 2_000_000);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);

        var warm = (await RunAsync(mirror, "warm", "large:1", "--json")).Succeeded();
        await mirror.KillAsync();
        await upstream.StopAsync();
        var images = (await RunAsync(mirror, "images", "--json")).Succeeded();
        await mirror.StartAsync();

        Assert.Equal(4, Element(warm).GetProperty("fetched").GetProperty("count").GetInt32());
        Assert.True(Element(images).GetProperty("complete").GetBoolean());
        Assert.Equal("docker.io/library/large:1", Element(images).GetProperty("image").GetString());
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
        Assert.Equal(images.Output, (await RunAsync(mirror, "images", "--json")).Succeeded().Output);
    }

    [Fact]
    public async Task What_was_removed_beside_a_server_is_gone_after_it_was_killed_too_and_the_next_pull_brings_it_back()
    {
        var image = TestImage.Create(layers: 3, layerSize: 200_000);
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, image, "1");
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url);
        (await RunAsync(mirror, "warm", "large:1")).Succeeded();

        var removed = (await RunAsync(mirror, "rm", "large:1")).Succeeded();
        await mirror.KillAsync();
        var images = (await RunAsync(mirror, "images", "--json")).Succeeded();
        await mirror.StartAsync();

        Assert.Equal($"docker.io/library/large:1: removed, it was {image.Digest}, which is gone too\n", removed.Output);
        Assert.Equal("[]\n", images.Output);
        await PulledImage.AssertIsAsync(image, mirror, Repository, "1");
        Assert.Equal("docker.io/library/large:1", Element((await RunAsync(mirror, "images", "--json")).Succeeded()).GetProperty("image").GetString());
    }

    [Fact]
    public async Task A_command_prints_nothing_but_its_answer_and_says_on_standard_error_why_it_failed()
    {
        await using var mirror = await MirrorProcess.StartAsync(new Uri("http://127.0.0.1:1"));
        mirror.Terminate();
        await mirror.ExitedAsync();

        var warm = await RunAsync(mirror, "warm", "large:1");

        Assert.Equal((1, ""), (warm.ExitCode, warm.Output));
        Assert.StartsWith("mirror: docker.io/library/large:1: ", warm.Error, StringComparison.Ordinal);
        Assert.Single(warm.Error.TrimEnd().Split('\n'));
    }

    private static Task<Command> RunAsync(MirrorProcess mirror, params IReadOnlyList<string> arguments) =>
        MirrorProcess.RunAsync([.. arguments, "-c", mirror.ConfigurationFile]);

    private static JsonElement Element(Command run) => JsonDocument.Parse(run.Output).RootElement[0];
}
