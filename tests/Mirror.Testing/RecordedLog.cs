using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Mirror.Testing;

/// <summary>Everything that was logged, at every level, as a person would read it.</summary>
public sealed class RecordedLog : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyList<string> Lines => [.. _lines];

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("A recorded log has no providers.");

    public void Dispose()
    {
    }
}
