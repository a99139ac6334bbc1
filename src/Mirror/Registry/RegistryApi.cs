using System.Data.Common;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Caching;
using Mirror.Oci;

namespace Mirror.Registry;

/// <summary>
/// The <c>/v2/</c> API: door and route, the right to read, then the endpoint. Whatever goes wrong inside becomes an error body if the response
/// has not started, and otherwise a broken connection, which no client can take for a complete answer.
/// </summary>
internal sealed partial class RegistryApi(
    Doors doors,
    Loops loops,
    ReadAccess access,
    BlobEndpoint blobs,
    ManifestEndpoint manifests,
    ListingEndpoint listings,
    TimeProvider time,
    ILogger<RegistryApi> logger)
{
    public async Task HandleAsync(HttpContext http)
    {
        var started = time.GetTimestamp();
        try
        {
            RegistryHeaders.Add(http.Response);
            await RouteAsync(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client has gone; nobody is left to answer.
        }
        catch (DownloadFailedException e)
        {
            await FailAsync(http, e.Failure is null ? RegistryError.Unavailable : RegistryError.Of(e.Failure, RegistryError.BlobUnknown), e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DbException)
        {
            LogStoreFailed(e, http.Request.Method, http.Request.Path.ToUriComponent());
            await FailAsync(http, RegistryError.Unavailable, "its store can not be read");
        }
        catch (Exception e)
        {
            LogSurprise(e, http.Request.Method, http.Request.Path.ToUriComponent());
            await FailAsync(http, RegistryError.Unknown, detail: null);
        }

        if (logger.IsEnabled(LogLevel.Debug))
        {
            var milliseconds = Math.Round(time.GetElapsedTime(started).TotalMilliseconds, 1);
            LogRequest(http.Request.Method, http.Request.Path.ToUriComponent(), http.Response.StatusCode, milliseconds);
        }
    }

    private static async Task FailAsync(HttpContext http, RegistryError error, string? detail)
    {
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }

        await error.WriteAsync(http, detail);
    }

    private Task RouteAsync(HttpContext http)
    {
        if (loops.IsLoop(http.Request))
        {
            return RegistryError.LoopDetected.WriteAsync(http, "a registry's url leads back to this mirror: `mirror config show` has them all");
        }

        var route = Route.Parse(http.Request.Path.Value ?? "", doors.IsRegistry);
        if (route is Route.Nothing)
        {
            return RegistryError.NotFound.WriteAsync(http);
        }

        if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
        {
            return RegistryError.Unsupported.WriteAsync(http, "this is a mirror: it can be pulled from", ("Allow", "GET, HEAD"));
        }

        var entrance = Entrance.Of(http.Request, route);
        var head = HttpMethods.IsHead(http.Request.Method);
        return route switch
        {
            Route.Wrong(var error) => error.WriteAsync(http),
            Route.Ping => PingAsync(http),
            Route.Catalog => CatalogAsync(http, entrance),
            Route.Tags(var name) => InRepositoryAsync(
                http, entrance, name, new RepositoryContent.OfTags(), repository => listings.TagsAsync(http, repository, name)),
            Route.Referrers(var name, var subject) => InRepositoryAsync(
                http,
                entrance,
                name,
                new RepositoryContent.OfManifest(subject),
                repository => listings.ReferrersAsync(http, repository, subject)),
            Route.Blob(var name, var digest) => InRepositoryAsync(http, entrance, name, new RepositoryContent.OfBlob(digest), repository =>
                head ? blobs.HeadAsync(http, repository, digest) : blobs.GetAsync(http, repository, digest)),
            Route.Manifest(var name, var reference) => InRepositoryAsync(
                http,
                entrance,
                name,
                new RepositoryContent.OfManifest(reference),
                repository => head ? manifests.HeadAsync(http, repository, reference) : manifests.GetAsync(http, repository, reference)),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    private async Task InRepositoryAsync(
        HttpContext http, Entrance entrance, RepositoryName name, RepositoryContent wanted, Func<UpstreamRepository, Task> answer)
    {
        if (doors.Find(entrance, name) is not { } repository)
        {
            await NoRegistryAsync(http, entrance);
            return;
        }

        if (entrance.Namespace is { } ns && doors.FindNamespace(ns) == repository.Upstream)
        {
            RegistryHeaders.AddNamespace(http.Response, ns);
        }

        await (await access.FindRefusalAsync(http, repository, wanted) is { } refusal
            ? RegistryError.WriteAsync(http, refusal, RegistryError.NameUnknown)
            : answer(repository));
    }

    private Task CatalogAsync(HttpContext http, Entrance entrance)
    {
        var registry = doors.FindRegistry(entrance);
        return registry is null && entrance.Namespace is not null ? NoRegistryAsync(http, entrance) : listings.CatalogAsync(http, registry);
    }

    private Task NoRegistryAsync(HttpContext http, Entrance entrance) => RegistryError.NameUnknown.WriteAsync(
        http,
        entrance.Namespace is { } ns && doors.FindNamespace(ns) is null
            ? "the registry that ns names is not configured here"
            : "the name belongs to no configured registry");

    private static async Task PingAsync(HttpContext http)
    {
        http.Response.Headers.ContentType = MediaTypes.Json;
        http.Response.ContentLength = 2;
        if (HttpMethods.IsGet(http.Request.Method))
        {
            await http.Response.Body.WriteAsync("{}"u8.ToArray(), http.RequestAborted);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Method} {Path} answered {Status} in {Milliseconds} ms")]
    private partial void LogRequest(string method, string path, int status, double milliseconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed because of the store")]
    private partial void LogStoreFailed(Exception exception, string method, string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed in a way that it should not")]
    private partial void LogSurprise(Exception exception, string method, string path);
}
