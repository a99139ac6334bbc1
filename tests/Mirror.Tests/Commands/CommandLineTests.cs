using System.CommandLine;
using Mirror.Commands;

namespace Mirror.Tests.Commands;

public sealed class CommandLineTests
{
    /// <summary>The library ends a process two seconds after the signal if nobody says otherwise: too soon for a running layer.</summary>
    [Fact]
    public async Task A_server_that_is_told_to_stop_may_finish_what_is_running()
    {
        TimeSpan? allowed = null;
        var probe = new Command("probe");
        probe.SetAction(invocation => { allowed = invocation.InvocationConfiguration.ProcessTerminationTimeout; });

        await CommandLine.RunAsync([probe], ["probe"]);

        Assert.True(allowed > ServeCommand.Patience, $"{allowed} is allowed");
    }

    [Fact]
    public async Task Help_describes_a_command_in_one_line_and_its_own_help_in_detail()
    {
        var all = await HelpAsync("--help");
        Assert.Contains(all.Split('\n'), line => line.Contains("Pull whole images into the cache now.", StringComparison.Ordinal));
        Assert.DoesNotContain("Exits with", all, StringComparison.Ordinal);
        Assert.All(all.Split('\n'), line => Assert.InRange(line.Length, 0, 140));

        var one = await HelpAsync("warm", "--help");
        Assert.Contains("Exits with 0 if all images are here", one, StringComparison.Ordinal);
    }

    private static async Task<string> HelpAsync(params string[] arguments)
    {
        await using var output = new StringWriter();
        var code = await CommandLine.RunAsync(
            [ServeCommand.Create(), DemoCommand.Create(), WarmCommand.Create()],
            arguments,
            new InvocationConfiguration { Output = output });
        Assert.Equal(0, code);
        return output.ToString();
    }
}
