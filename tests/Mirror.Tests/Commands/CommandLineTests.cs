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
}
