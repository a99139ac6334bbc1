using System.Data.Common;
using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Caching;
using Mirror.Configuration;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>
/// The <c>/v2/</c> API, and what Docker still asks of <c>/v1/</c>: door and route, the right to read, then the endpoint. Whatever goes wrong
/// inside becomes an error body if the response has not started, and otherwise a broken connection, which no client can take for a complete
/// answer.
/// </summary>
internal sealed partial class RegistryApi(
    Doors doors,
    Loops loops,
    Permissions permissions,
    ReadAccess access,
    PullThrough cache,
    Store store,
    LocalRepositories repositories,
    BlobEndpoint blobs,
    ManifestEndpoint manifests,
    UploadEndpoint uploads,
    PushEndpoint pushes,
    ListingEndpoint listings,
    SearchEndpoint search,
    PublicAddress address,
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
        catch (RequestBrokenException e)
        {
            await (e.IsTimeout && !http.Response.HasStarted
                ? RegistryError.RequestTimeout.WriteAsync(http, detail: null, ("Connection", "close"))
                : AbortAsync(http));
        }
        catch (OperationCanceledException)
        {
            // The client has come back on another connection, and goes on there.
            http.Abort();
        }
        catch (BadHttpRequestException e)
        {
            // It is an IOException too, but the client's.
            await FailAsync(http, RegistryError.RequestInvalid, e.Message);
        }
        catch (DownloadFailedException e)
        {
            await FailAsync(http, e.Failure is null ? RegistryError.Unavailable : RegistryError.Of(e.Failure, RegistryError.BlobUnknown), e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DbException)
        {
            LogStoreFailed(e, http.Request.Method, http.Request.Path.ToUriComponent());
            await FailAsync(http, RegistryError.Unavailable, "its store fails");
        }
        catch (Exception e)
        {
            LogSurprise(e, http.Request.Method, http.Request.Path.ToUriComponent());
            await FailAsync(http, RegistryError.Unknown, detail: null);
        }

        if (logger.IsEnabled(LogLevel.Debug))
        {
            var milliseconds = Math.Round(time.GetElapsedTime(started).TotalMilliseconds, 1);
            LogRequest(
                http.Request.Method, http.Request.Path.ToUriComponent(), http.Response.StatusCode, http.Connection.RemoteIpAddress, milliseconds);
        }
    }

    private static Task AbortAsync(HttpContext http)
    {
        http.Abort();
        return Task.CompletedTask;
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

        if (route is not Route.Wrong && !route.Methods.Split(", ").Contains(http.Request.Method, StringComparer.OrdinalIgnoreCase))
        {
            return RegistryError.Unsupported.WriteAsync(http, $"{http.Request.Method} is not for this path", ("Allow", route.Methods));
        }

        if (WantedBy(http.Request, route) is var wanted && !permissions.Allow(wanted))
        {
            return RegistryError.Denied.WriteAsync(http, $"nobody may {wanted.ToString().ToLowerInvariant()} here: access.anonymous does not include it");
        }

        var entrance = Entrance.Of(http.Request, route);
        if (address.BeginningFor(http, isElsewhere: doors.IsMeantByHost(entrance)) is { Length: > 0 } beginning)
        {
            RegistryHeaders.BeginWith(beginning, http.Response);
        }

        return route switch
        {
            Route.Wrong(var error) => error.WriteAsync(http),
            Route.Ping => PingAsync(http),
            Route.Catalog => CatalogAsync(http, entrance),
            Route.Search => search.SearchAsync(http, doors.FindRegistry(entrance)),
            Route.InRepository there when IsRead(http, there) => ReadAsync(http, entrance, there),
            Route.InRepository there => ChangeAsync(http, entrance, there),
            _ => throw new UnreachableException(),
        };
    }

    /// <summary>How far an upload is belongs to pushing.</summary>
    private static bool IsRead(HttpContext http, Route.InRepository route) =>
        route is not Route.Upload && (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method));

    private async Task ReadAsync(HttpContext http, Entrance entrance, Route.InRepository route)
    {
        switch (doors.Find(entrance, route.Name))
        {
            case Place.Own(var name):
                await AnswerAsync(http, route, new LocalRepository(name, store, cache.Blobs));
                break;

            case Place.Elsewhere(var upstream) when FindPushedTo(http, entrance, route, upstream) is { } name:
                await AnswerAsync(http, route, new LocalRepository(name, store, cache.Blobs));
                break;

            case Place.Elsewhere(var repository):
                if (entrance.Namespace is { } ns && doors.FindNamespace(ns) == repository.Upstream)
                {
                    RegistryHeaders.AddNamespace(http.Response, ns);
                }

                await (await access.FindRefusalAsync(http, repository, ContentOf(route)) is { } refusal
                    ? RegistryError.WriteAsync(http, refusal, RegistryError.NameUnknown)
                    : AnswerAsync(http, route, new CachedRepository(repository, cache, store.Leases)));
                break;

            default:
                await NoRegistryAsync(http, entrance);
                break;
        }
    }

    /// <summary>
    /// Where an image of our own is just being pushed, its name is still upstream's, but not for its blobs: those that were pushed are there. Who may
    /// push asks by HEAD which need not be, and what is here of upstream's need not (<see cref="Lender"/>). Upstream is not asked: what it alone has
    /// is to be pushed, and it may be down.
    /// </summary>
    private RepositoryName? FindPushedTo(HttpContext http, Entrance entrance, Route.InRepository route, UpstreamRepository upstream) =>
        route is Route.Blob(_, var digest)
        && doors.FindOwn(entrance, route.Name) is { } name
        && (store.Metadata.FindLink(RepositoryKey.Local(name), digest) is not null
            || (HttpMethods.IsHead(http.Request.Method) && permissions.Allow(Rights.Push) && !repositories.CanLend(upstream.Key, digest)))
            ? name
            : null;

    private Lender? FindLender(HttpContext http, RepositoryName name) => doors.FindBehind(name) is not { } upstream
        ? null
        : new Lender(upstream.Key, async content =>
        {
            RepositoryContent wanted = MediaTypes.IsManifest(content.MediaType)
                ? new RepositoryContent.OfManifest(content.Digest)
                : new RepositoryContent.OfBlob(content.Digest);
            return await access.FindRefusalAsync(http, upstream, wanted) is null;
        });

    private Task AnswerAsync(HttpContext http, Route.InRepository route, IRepository repository)
    {
        var head = HttpMethods.IsHead(http.Request.Method);
        return route switch
        {
            Route.Blob(_, var digest) => head ? blobs.HeadAsync(http, repository, digest) : blobs.GetAsync(http, repository, digest),
            Route.Manifest(_, var reference) => head
                ? manifests.HeadAsync(http, repository, reference)
                : manifests.GetAsync(http, repository, reference),
            Route.Tags(var name) => ListingEndpoint.TagsAsync(http, repository, name),
            Route.Referrers(_, var subject) => ListingEndpoint.ReferrersAsync(http, repository, subject),
            _ => throw new UnreachableException(),
        };
    }

    private Task ChangeAsync(HttpContext http, Entrance entrance, Route.InRepository route)
    {
        if (doors.FindOwn(entrance, route.Name) is not { } name)
        {
            return RegistryError.Unsupported.WriteAsync(http, "this name is another registry's: push to that, or to a name of this one's own", ("Allow", "GET, HEAD"));
        }

        var method = http.Request.Method;
        return route switch
        {
            Route.Uploads => uploads.BeginAsync(http, name),
            Route.Upload(_, var id) when HttpMethods.IsGet(method) => uploads.StatusAsync(http, name, id),
            Route.Upload(_, var id) when HttpMethods.IsPatch(method) => uploads.AppendAsync(http, name, id),
            Route.Upload(_, var id) when HttpMethods.IsPut(method) => uploads.FinishAsync(http, name, id),
            Route.Upload(_, var id) => uploads.CancelAsync(http, name, id),
            Route.Manifest(_, var reference) when HttpMethods.IsPut(method) =>
                pushes.PutManifestAsync(http, name, reference, FindLender(http, name)),
            Route.Manifest(_, var reference) => pushes.DeleteManifestAsync(http, name, reference),
            Route.Blob(_, var digest) => pushes.DeleteBlobAsync(http, name, digest),
            _ => throw new UnreachableException(),
        };
    }

    private static Rights WantedBy(HttpRequest request, Route route) => route switch
    {
        Route.Manifest or Route.Blob when HttpMethods.IsDelete(request.Method) => Rights.Delete,
        Route.Manifest when HttpMethods.IsPut(request.Method) => Rights.Push,
        Route.Upload or Route.Uploads => Rights.Push,
        Route.InRepository or Route.Catalog or Route.Search => Rights.Pull,
        _ => Rights.None,
    };

    private static RepositoryContent ContentOf(Route.InRepository route) => route switch
    {
        Route.Blob(_, var digest) => new RepositoryContent.OfBlob(digest),
        Route.Manifest(_, var reference) => new RepositoryContent.OfManifest(reference),
        Route.Referrers(_, var subject) => new RepositoryContent.OfManifest(subject),
        _ => new RepositoryContent.OfTags(),
    };

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

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Method} {Path} answered {Status} to {Client} in {Milliseconds} ms")]
    private partial void LogRequest(string method, string path, int status, System.Net.IPAddress? client, double milliseconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed because of the store")]
    private partial void LogStoreFailed(Exception exception, string method, string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed in a way that it should not")]
    private partial void LogSurprise(Exception exception, string method, string path);
}
