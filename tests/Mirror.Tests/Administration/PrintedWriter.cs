namespace Mirror.Tests.Administration;

/// <summary>Says when the first line was printed.</summary>
internal sealed class PrintedWriter : StringWriter
{
    private readonly TaskCompletionSource _line = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Line => _line.Task;

    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        _line.TrySetResult();
    }

    public override Task WriteLineAsync(string? value)
    {
        WriteLine(value);
        return Task.CompletedTask;
    }
}
