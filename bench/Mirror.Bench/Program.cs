using System.Runtime.InteropServices;
using Mirror.Bench;

if (!Arguments.TryParse(args, out var arguments, out var fault))
{
    Console.Error.WriteLine($"bench: {fault}");
    Console.Error.WriteLine($"usage: bench/run.sh [--rounds N] [--quick] [case…]; cases: {string.Join(", ", Case.All.Select(@case => @case.Name))}");
    return 2;
}

using var stopping = new CancellationTokenSource();
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stopping.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);

try
{
    await using var bench = Workbench.Create(arguments, stopping.Token);
    await bench.RunAsync();
    return 0;
}
catch (Exception) when (stopping.IsCancellationRequested)
{
    Console.Error.WriteLine("bench: stopped");
    return 130;
}
catch (Exception e)
{
    Console.Error.WriteLine($"bench: {e}");
    return 1;
}
