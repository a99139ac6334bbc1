using Microsoft.Extensions.Logging;
using Mirror.Configuration;
using Serilog;
using Serilog.Events;
using Serilog.Extensions.Logging;
using Serilog.Formatting.Json;

namespace Mirror.Observability;

/// <summary>The log: lines for people or JSON for machines, on standard output.</summary>
public static class Logging
{
    private const string Line = "{Timestamp:yyyy-MM-dd HH:mm:ss.fff} {Level:u3} {Message:lj}{NewLine}{Exception}";

    /// <summary>For a process whose standard output is a command's: errors alone, on standard error.</summary>
    public static ILoggerFactory CreateForCommand() => new SerilogLoggerFactory(
        new LoggerConfiguration()
            .MinimumLevel.Error()
            .MinimumLevel.Override("Microsoft.Extensions.Hosting", LogEventLevel.Fatal)
            .WriteTo.Console(outputTemplate: Line, standardErrorFromLevel: LogEventLevel.Verbose)
            .CreateLogger(),
        dispose: true);

    public static ILoggerFactory Create(LogOptions options)
    {
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Is(options.Level switch
            {
                LogLevel.Trace or LogLevel.Debug => LogEventLevel.Debug,
                LogLevel.Information => LogEventLevel.Information,
                LogLevel.Warning => LogEventLevel.Warning,
                _ => LogEventLevel.Error,
            })
            // The server's own words matter only when something is wrong with it.
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            // What the host reports it also throws, and who starts it says that in a line of its own.
            .MinimumLevel.Override("Microsoft.Extensions.Hosting", LogEventLevel.Fatal);
        configuration = options.Format switch
        {
            LogFormat.Text => configuration.WriteTo.Console(outputTemplate: Line),
            LogFormat.Json => configuration.WriteTo.Console(new JsonFormatter(renderMessage: true)),
        };
        return new SerilogLoggerFactory(configuration.CreateLogger(), dispose: true);
    }
}
