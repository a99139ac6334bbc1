using System.Diagnostics;
using System.Runtime.InteropServices;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>A program that runs beside the test. What it prints is kept and can be waited for; it does not outlive its test.</summary>
internal sealed partial class ChildProcess : IAsyncDisposable
{
    private const int SigInt = 2;
    private const int SigTerm = 15;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly Process _process;

    private ChildProcess(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>What it has printed so far, standard error among it.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    public static ChildProcess Start(
        string program, IEnumerable<string> arguments, params IReadOnlyList<(string Name, string Value)> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new ChildProcess(start);
    }

    /// <summary>The first line that holds this text, as soon as it is there.</summary>
    public async Task<string> LineWithAsync(string text)
    {
        string? found = null;
        await Poll.UntilAsync(
            () => Task.FromResult(IsThere() || _process.HasExited), Patience, () => Complaint($"'{text}' was not printed"));
        return found ?? throw new InvalidOperationException(Complaint($"ended without printing '{text}'"));

        bool IsThere() => (found = Lines.FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal))) is not null;
    }

    /// <summary>SIGKILL: it gets no chance to do anything more.</summary>
    public Task KillAsync()
    {
        _process.Kill();
        return ExitedAsync();
    }

    /// <summary>SIGTERM, which asks it to stop.</summary>
    public void Terminate() => Signal(SigTerm);

    /// <summary>SIGINT, as Ctrl-C sends it.</summary>
    public void Interrupt() => Signal(SigInt);

    /// <summary>The exit code, when it has ended and all that it printed is here.</summary>
    public async Task<int> ExitedAsync()
    {
        using var timeout = new CancellationTokenSource(Patience, TimeProvider.System);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
            return _process.ExitCode;
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException(Complaint($"it still runs after {Patience.TotalSeconds} seconds"), e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await ExitedAsync();
        }

        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    private void Signal(int signal)
    {
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, signal);
        }
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            lock (_lock)
            {
                _lines.Add(line);
            }
        }
    }

    private string Complaint(string what) => $"{_process.StartInfo.FileName}: {what}. It printed:\n{string.Join('\n', Lines.TakeLast(50))}";
}
