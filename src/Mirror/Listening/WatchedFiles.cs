using Microsoft.Extensions.Logging;
using Mirror.Configuration.Reading;

namespace Mirror.Listening;

/// <summary>
/// What files hold together, read again when it is asked for and a second has gone by. They are compared by what they hold: their names may be
/// links, which are swapped, and one is written before the other. Until they are right again, what they held before holds.
/// </summary>
internal sealed partial class WatchedFiles<T>
    where T : class
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly IReadOnlyList<string> _paths;
    private readonly Func<IReadOnlyList<string>, Parsed<T>> _parse;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private IReadOnlyList<string> _texts;
    private volatile T _value;
    private long _lookedAt;
    private string? _fault;

    /// <param name="paths">Absolute.</param>
    /// <param name="parse">Makes the value of the files' texts, in the order of the paths.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets what is wrong with them, once each time.</param>
    /// <exception cref="CertificateException">They are not right now.</exception>
    public WatchedFiles(IReadOnlyList<string> paths, Func<IReadOnlyList<string>, Parsed<T>> parse, TimeProvider time, ILogger logger)
    {
        (_paths, _parse, _time, _logger) = (paths, parse, time, logger);
        _lookedAt = time.GetTimestamp();
        var texts = ReadTexts();
        var value = texts.Fault is null ? parse(texts.Value) : Parsed.Wrong<T>(texts.Fault);
        (_texts, _value) = value.Fault is null ? (texts.Value, value.Value) : throw new CertificateException($"{Names}: {value.Fault}");
    }

    private string Names => string.Join(" and ", _paths);

    public T Current()
    {
        // Who comes while another looks is not kept waiting for the disk.
        if (_time.GetElapsedTime(Volatile.Read(ref _lookedAt)) >= Interval && _gate.TryEnter())
        {
            try
            {
                var now = _time.GetTimestamp();
                Look();
                Volatile.Write(ref _lookedAt, now);
            }
            finally
            {
                _gate.Exit();
            }
        }

        return _value;
    }

    private void Look()
    {
        var texts = ReadTexts();
        if (texts.Fault is null && texts.Value.SequenceEqual(_texts))
        {
            _fault = null;
            return;
        }

        var value = texts.Fault is null ? _parse(texts.Value) : Parsed.Wrong<T>(texts.Fault);
        if (value.Fault is null)
        {
            (_texts, _value, _fault) = (texts.Value, value.Value, null);
            LogReplaced(_logger, Names);
        }
        else if (value.Fault != _fault)
        {
            _fault = value.Fault;
            LogKept(_logger, Names, value.Fault);
        }
    }

    private Parsed<IReadOnlyList<string>> ReadTexts()
    {
        var texts = new List<string>();
        foreach (var path in _paths)
        {
            var text = Pem.ReadText(path);
            if (text.Fault is not null)
            {
                return Parsed.Wrong<IReadOnlyList<string>>($"{path} {text.Fault}");
            }

            texts.Add(text.Value);
        }

        return Parsed.Right<IReadOnlyList<string>>(texts);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "New connections use what {Files} hold now")]
    private static partial void LogReplaced(ILogger logger, string files);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What {Files} held before is still used, because now {Why}")]
    private static partial void LogKept(ILogger logger, string files, string why);
}
