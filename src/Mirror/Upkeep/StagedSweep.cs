using Microsoft.Extensions.Logging;
using Mirror.Local;
using Mirror.Storage;

namespace Mirror.Upkeep;

/// <summary>Every hour, removes the uploads and downloads that were broken off and that nobody has gone on with.</summary>
internal sealed partial class StagedSweep : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    private readonly Uploads _uploads;
    private readonly BlobStore _blobs;
    private readonly TimeProvider _time;
    private readonly ILogger<StagedSweep> _logger;
    private readonly PeriodicTimer _timer;
    private readonly Task _running;

    public StagedSweep(Uploads uploads, BlobStore blobs, TimeProvider time, ILogger<StagedSweep> logger)
    {
        _uploads = uploads;
        _blobs = blobs;
        _time = time;
        _logger = logger;
        _timer = new PeriodicTimer(Interval, time);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Waits for what is running. The store must still be open.</summary>
    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _running;
    }

    private async Task RunAsync()
    {
        while (await _timer.WaitForNextTickAsync())
        {
            try
            {
                _uploads.LetRest();
                if (_blobs.SweepStaged(_time.GetUtcNow()) is > 0 and var swept)
                {
                    LogSwept(swept);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                LogFailed(e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed {Count} staged files of uploads and downloads that nobody has gone on with")]
    private partial void LogSwept(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What uploads and downloads have left staged could not be removed: {Why}")]
    private partial void LogFailed(string why);
}
