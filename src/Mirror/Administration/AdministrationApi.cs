using System.Data.Common;
using System.IO.Enumeration;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Mirror.Caching;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Registry;
using Mirror.Replication;
using Mirror.Storage;

namespace Mirror.Administration;

/// <summary>
/// The internal API, for this program's own commands. What can not be answered is refused with a sentence; once an answer has begun, failure is a
/// broken connection.
/// </summary>
internal sealed partial class AdministrationApi(
    Doors doors,
    PullThrough cache,
    Store store,
    LocalRepositories own,
    Replicator replicator,
    TimeProvider time,
    ILogger<AdministrationApi> logger)
{
    private const int MaxImages = 10_000;

    private readonly ImageWarming _warming = new(doors, cache);
    private readonly TagRefreshing _refreshing = new(doors, cache.Tags, store.Metadata);
    private readonly ImageRemoving _removing = new(doors, cache, store);
    private readonly RegistryAdopting _adopting = new(doors, own);
    private readonly SyncAdministration _sync = new(replicator, time);
    private readonly Lock _gate = new();
    private TaskCompletionSource _idle = CompletedSource();
    private int _running;

    public async Task HandleAsync(HttpContext http)
    {
        Enter();
        try
        {
            await AnswerAsync(http);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Waits until nothing is being answered.</summary>
    public async Task WaitUntilIdleAsync()
    {
        while (true)
        {
            Task idle;
            lock (_gate)
            {
                if (_running == 0)
                {
                    return;
                }

                idle = _idle.Task;
            }

            await idle;
        }
    }

    private async Task AnswerAsync(HttpContext http)
    {
        try
        {
            await RouteAsync(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The command has gone; nobody is left to answer.
        }
        catch (RefusedException e)
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest, e.Message);
        }
        catch (BadHttpRequestException e)
        {
            await RefuseAsync(http, e.StatusCode, e.Message);
        }
        catch (Exception e)
        {
            LogFailed(e, http.Request.Method, http.Request.Path.ToUriComponent());
            await (e is IOException or UnauthorizedAccessException or DbException
                ? RefuseAsync(http, StatusCodes.Status503ServiceUnavailable, $"the store failed: {e.Message}")
                : RefuseAsync(http, StatusCodes.Status500InternalServerError, "the server failed as it should not: its log says how"));
        }
    }

    private Task RouteAsync(HttpContext http) => (http.Request.Path.Value, http.Request.Method) switch
    {
        ("/", "GET") => Task.CompletedTask,
        ("/warm", "POST") => WarmAsync(http),
        ("/refresh", "POST") => RefreshAsync(http),
        ("/remove", "POST") => RemoveAsync(http),
        ("/adopt", "POST") => AdoptAsync(http),
        ("/images", "GET") => ImagesAsync(http),
        ("/usage", "GET") => JsonLines.WriteAsync(http, StoreMeasure.Take(store), Messages.Json.StoreUsage),
        ("/sync/jobs", "GET") => _sync.ListJobsAsync(http),
        ("/sync/history", "GET") => _sync.ListRunsAsync(http),
        ("/sync/plan", "POST") => _sync.PlanAsync(http),
        ("/sync/run", "POST") => _sync.RunAsync(http),
        ("/sync/stop", "POST") => _sync.StopAsync(http),
        ("/" or "/warm" or "/refresh" or "/remove" or "/adopt" or "/images" or "/usage"
            or "/sync/jobs" or "/sync/history" or "/sync/plan" or "/sync/run" or "/sync/stop", _) =>
            RefuseAsync(http, StatusCodes.Status405MethodNotAllowed, "this is asked for with another method"),
        _ => RefuseAsync(http, StatusCodes.Status404NotFound, "this server does not know what was asked for: is it of another version?"),
    };

    private async Task WarmAsync(HttpContext http)
    {
        var request = await JsonLines.ReadAsync(http, Messages.Json.WarmRequest);
        var images = ReadImages(request.Images);
        var platforms = (request.Platforms ?? []).Select(ReadPlatform).ToList();
        foreach (var (asked, image) in images)
        {
            await foreach (var line in _warming.WarmAsync(asked, image, platforms, http.RequestAborted))
            {
                await JsonLines.WriteAsync(http, line, Messages.Json.WarmLine);
            }
        }
    }

    private async Task RefreshAsync(HttpContext http)
    {
        var request = await JsonLines.ReadAsync(http, Messages.Json.RefreshRequest);
        foreach (var (asked, image) in ReadImages(request.Images))
        {
            await JsonLines.WriteAsync(http, await _refreshing.RefreshAsync(asked, image, http.RequestAborted), Messages.Json.RefreshedImage);
        }
    }

    private async Task RemoveAsync(HttpContext http)
    {
        var request = await JsonLines.ReadAsync(http, Messages.Json.RemoveRequest);
        var images = ReadImages(request.Images);
        foreach (var (asked, _) in images.Where(named => named.Image.SaysReference == request.All))
        {
            throw new RefusedException(request.All ? $"'{asked}' is more than a repository's name" : $"'{asked}' says neither tag nor digest");
        }

        foreach (var (asked, image) in images)
        {
            await JsonLines.WriteAsync(http, await _removing.RemoveAsync(asked, image, request.All), Messages.Json.RemovedImage);
        }
    }

    private async Task AdoptAsync(HttpContext http)
    {
        var request = await JsonLines.ReadAsync(http, Messages.Json.AdoptRequest);
        if (!_adopting.TryBegin(request, out var adoption, out var fault))
        {
            throw new RefusedException(fault);
        }

        await foreach (var line in adoption(http.RequestAborted))
        {
            await JsonLines.WriteAsync(http, line, Messages.Json.AdoptLine);
        }
    }

    private async Task ImagesAsync(HttpContext http)
    {
        var pattern = http.Request.Query["pattern"].ToString();
        var named = new ImagePlaces(doors).FindNamed(pattern);
        await foreach (var image in cache.Images.ListAsync(
            name => pattern.Length == 0
                || named?.Invoke(name) is true
                || FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false)))
        {
            var listed = new ListedImage(
                image.Name,
                image.Tagged.Digest.ToString(),
                image.Type,
                [.. image.Platforms.Select(platform => platform.ToString())],
                image.Children,
                image.ChildrenHere,
                image.BytesHere,
                image.Bytes,
                image.IsComplete,
                image.Tagged.CheckedAt);
            await JsonLines.WriteAsync(http, listed, Messages.Json.ListedImage);
        }
    }

    private static List<(string Asked, ImageName Image)> ReadImages(IReadOnlyList<string?>? images) =>
        images is { Count: > 0 and <= MaxImages }
            ? [.. images.Select(asked => (asked ?? "", ReadImage(asked)))]
            : throw new RefusedException($"name an image, or up to {MaxImages}");

    private static ImageName ReadImage(string? text) =>
        ImageName.TryParse(text ?? "", out var image) ? image : throw new RefusedException($"'{text}' is not an image's name");

    private static Platform ReadPlatform(string? text) => Platform.TryParse(text ?? "", out var platform)
        ? platform!
        : throw new RefusedException($"'{text}' is not a platform: write os/architecture or os/architecture/variant");

    private static async Task RefuseAsync(HttpContext http, int status, string why)
    {
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }

        http.Response.Clear();
        http.Response.StatusCode = status;
        await JsonLines.WriteAsync(http, new Refusal(why), Messages.Json.Refusal);
    }

    private void Enter()
    {
        lock (_gate)
        {
            if (_running++ == 0)
            {
                _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    private void Leave()
    {
        lock (_gate)
        {
            if (--_running == 0)
            {
                _idle.SetResult();
            }
        }
    }

    private static TaskCompletionSource CompletedSource()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A command's {Method} {Path} failed")]
    private partial void LogFailed(Exception exception, string method, string path);
}
