using System.Data.Common;
using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Caching;
using Mirror.Oci;

namespace Mirror.Registry;

/// <summary>
/// The <c>/v2/</c> API, and what Docker still asks of <c>/v1/</c>: route, door, who asks, and then the endpoint. Whatever goes wrong
/// inside becomes an error body if the response has not started, and otherwise a broken connection, which no client can take for a complete
/// answer.
/// </summary>
internal sealed partial class RegistryApi(
    Doors doors,
    Loops loops,
    Visitors visitors,
    Permissions permissions,
    Challenges challenges,
    RepositoryApi repositories,
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
            LogStoreFailed(http.Request.Method, http.Request.Path.ToUriComponent(), e.Message);
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

    private async Task RouteAsync(HttpContext http)
    {
        if (loops.IsLoop(http.Request))
        {
            await RegistryError.LoopDetected.WriteAsync(http, "a registry's url leads back to this mirror: `mirror config show` has them all");
            return;
        }

        var route = Route.Parse(http.Request.Path.Value ?? "", doors.IsRegistry);
        if (route is Route.Nothing)
        {
            await RegistryError.NotFound.WriteAsync(http);
            return;
        }

        if (route is not Route.Wrong && !route.Methods.Split(", ").Contains(http.Request.Method, StringComparer.OrdinalIgnoreCase))
        {
            await RegistryError.Unsupported.WriteAsync(http, $"{http.Request.Method} is not for this path", ("Allow", route.Methods));
            return;
        }

        // Over TLS, docker search shows an empty name and password for who has not logged in.
        var recognition = await visitors.RecognizeAsync(http, emptyIsNobody: route is Route.Search);
        if (recognition is not Recognition.Known(var visitor))
        {
            await challenges.RefuseAsync(http, recognition);
            return;
        }

        var call = new Call(http, Entrance.Of(http.Request, route), visitor);
        if (address.BeginningFor(http, isElsewhere: doors.IsMeantByHost(call.Entrance)) is { Length: > 0 } beginning)
        {
            RegistryHeaders.BeginWith(beginning, http.Response);
        }

        await (route switch
        {
            Route.Wrong(var error) => error.WriteAsync(http),
            Route.Ping => PingAsync(call),
            Route.Catalog => ListAsync(call, registry => listings.CatalogAsync(http, visitor, registry)),
            Route.Search => ListAsync(call, registry => search.SearchAsync(http, visitor, registry)),
            Route.InRepository there => repositories.HandleAsync(call, there),
            _ => throw new UnreachableException(),
        });
    }

    private Task ListAsync(Call call, Func<Upstream?, Task> list)
    {
        var registry = doors.FindRegistry(call.Entrance);
        return !call.Visitor.MayList(registry?.Name) ? challenges.RefuseListAsync(call.Http, call.Visitor.FindListRemedy(registry?.Name))
            : registry is null && call.Entrance.Namespace is not null ? repositories.NoRegistryAsync(call)
            : list(registry);
    }

    /// <summary>
    /// Clients log in here or nowhere: Docker looks for a challenge in this answer alone, and answers a mirror's with what its user has for Docker Hub. So
    /// a door that names an upstream has none while nobody needs to log in there, and the root has one as soon as somebody could gain by it.
    /// </summary>
    private async Task PingAsync(Call call)
    {
        var (http, entrance, visitor) = call;
        var mayStay = visitor.User is not null || http.Request.Headers.Authorization.Count > 0 || !permissions.RewardsLogin
            || (doors.FindRegistry(entrance) is { } registry && permissions.MayPullSomething(visitor.Client, registry.Name));
        if (!mayStay)
        {
            await challenges.ChallengeAsync(http);
            return;
        }

        http.Response.Headers.ContentType = MediaTypes.Json;
        http.Response.ContentLength = 2;
        if (HttpMethods.IsGet(http.Request.Method))
        {
            await http.Response.Body.WriteAsync("{}"u8.ToArray(), http.RequestAborted);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Method} {Path} answered {Status} to {Client} in {Milliseconds} ms")]
    private partial void LogRequest(string method, string path, int status, System.Net.IPAddress? client, double milliseconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed because of the store: {Why}")]
    private partial void LogStoreFailed(string method, string path, string why);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed in a way that it should not")]
    private partial void LogSurprise(Exception exception, string method, string path);
}
