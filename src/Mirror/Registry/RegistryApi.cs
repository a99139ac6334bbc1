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
/// The <c>/v2/</c> API, and what Docker still asks of <c>/v1/</c>: who asks, door and route, the right to do that, then the endpoint. Whatever goes wrong
/// inside becomes an error body if the response has not started, and otherwise a broken connection, which no client can take for a complete
/// answer.
/// </summary>
internal sealed partial class RegistryApi(
    Doors doors,
    Loops loops,
    Visitors visitors,
    Permissions permissions,
    ReadAccess access,
    Challenges challenges,
    AuditLog audit,
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
            Route.InRepository there when IsRead(http, there) => ReadAsync(call, there),
            Route.InRepository there => ChangeAsync(call, there),
            _ => throw new UnreachableException(),
        });
    }

    /// <summary>How far an upload is belongs to pushing.</summary>
    private static bool IsRead(HttpContext http, Route.InRepository route) =>
        route is not Route.Upload && (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method));

    private async Task ReadAsync(Call call, Route.InRepository route)
    {
        var (http, entrance, visitor) = call;
        var place = FindReadable(call, route);
        var target = TargetOf(call, route.Name, place);
        if (!visitor.May(Rights.Pull, target))
        {
            await RefuseAsync(call, Rights.Pull, target, route.Name);
            return;
        }

        switch (place)
        {
            case Place.Own(var name):
                await AnswerAsync(http, route, new LocalRepository(name, store, cache.Blobs));
                break;

            case Place.Elsewhere(var repository):
                if (entrance.Namespace is { } ns && doors.FindNamespace(ns) == repository.Upstream)
                {
                    RegistryHeaders.AddNamespace(http.Response, ns);
                }

                var refusal = await access.FindRefusalAsync(visitor, target, repository, ContentOf(route), http.RequestAborted);
                await (refusal is null ? AnswerAsync(http, route, new CachedRepository(repository, cache, store.Leases))
                    : refusal == ReadAccess.Hidden && doors.LeavesRegistryOpen(entrance, route.Name) && visitor.FindNaming(target) is not Remedy.None and var remedy
                        ? challenges.RefuseAsync(http, visitor, Rights.Pull, target, remedy)
                    : RegistryError.WriteAsync(http, refusal, RegistryError.NameUnknown));
                break;

            default:
                await NoRegistryAsync(call);
                break;
        }
    }

    /// <summary>
    /// What a visitor reads from. A name that is our own and an upstream's is upstream's to who may not pull ours: so nobody learns from it whether there
    /// is something of ours.
    /// </summary>
    private Place? FindReadable(Call call, Route.InRepository route) => doors.Find(call.Entrance, route.Name) switch
    {
        Place.Own(var own) when doors.FindBehind(own) is { } behind && !call.Visitor.May(Rights.Pull, own) => new Place.Elsewhere(behind),
        Place.Elsewhere(var upstream) when FindPushedTo(call, route, upstream) is { } own => new Place.Own(own),
        var place => place,
    };

    /// <summary>
    /// Where an image of our own is just being pushed, its name is still upstream's, but not for its blobs: those that were pushed are there. Who may
    /// push asks by HEAD which need not be, and what is here of upstream's need not (<see cref="Lender"/>). Upstream is not asked: what it alone has
    /// is to be pushed, and it may be down.
    /// </summary>
    private RepositoryName? FindPushedTo(Call call, Route.InRepository route, UpstreamRepository upstream) =>
        route is Route.Blob(_, var digest)
        && doors.FindOwn(call.Entrance, route.Name) is { } name
        && call.Visitor.May(Rights.Pull, name)
        && (store.Metadata.FindLink(RepositoryKey.Local(name), digest) is not null
            || (HttpMethods.IsHead(call.Http.Request.Method) && call.Visitor.May(Rights.Push, name) && !repositories.CanLend(upstream.Key, digest)))
            ? name
            : null;

    private Lender? FindLender(Call call, RepositoryName name) => doors.FindBehind(name) is not { } upstream
        ? null
        : new Lender(upstream.Key, async content =>
        {
            RepositoryContent wanted = MediaTypes.IsManifest(content.MediaType)
                ? new RepositoryContent.OfManifest(content.Digest)
                : new RepositoryContent.OfBlob(content.Digest);
            var target = TargetOf(call, name, new Place.Elsewhere(upstream));
            return call.Visitor.May(Rights.Pull, target)
                && await access.FindRefusalAsync(call.Visitor, target, upstream, wanted, call.Http.RequestAborted) is null;
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

    private async Task ChangeAsync(Call call, Route.InRepository route)
    {
        var (http, entrance, visitor) = call;
        var wanted = HttpMethods.IsDelete(http.Request.Method) && route is not Route.Upload ? Rights.Delete : Rights.Push;
        if (doors.FindOwn(entrance, route.Name) is not { } name)
        {
            var others = TargetOf(call, route.Name, doors.Find(entrance, route.Name));
            await (visitor.May(wanted, others) || visitor.May(Rights.Pull, others)
                ? RegistryError.Unsupported.WriteAsync(
                    http, "this name is another registry's: push to that, or to a name of this one's own", ("Allow", "GET, HEAD"))
                : RefuseAsync(call, wanted, others, route.Name));
            return;
        }

        var target = Target.Own(name);
        if (!visitor.May(wanted, target))
        {
            await RefuseAsync(call, wanted, target, route.Name);
            return;
        }

        var method = http.Request.Method;
        await (route switch
        {
            Route.Uploads => uploads.BeginAsync(http, name, visitor),
            Route.Upload(_, var id) => GoOnAsync(http, new UploadKey(name, visitor.User, id)),
            Route.Manifest(_, var reference) when HttpMethods.IsPut(method) =>
                pushes.PutManifestAsync(http, name, reference, FindLender(call, name)),
            Route.Manifest(_, var reference) => pushes.DeleteManifestAsync(http, name, reference),
            Route.Blob(_, var digest) => pushes.DeleteBlobAsync(http, name, digest),
            _ => throw new UnreachableException(),
        });
        Note(call, route, name);
    }

    private Task GoOnAsync(HttpContext http, UploadKey upload) => http.Request.Method switch
    {
        var method when HttpMethods.IsGet(method) => uploads.StatusAsync(http, upload),
        var method when HttpMethods.IsPatch(method) => uploads.AppendAsync(http, upload),
        var method when HttpMethods.IsPut(method) => uploads.FinishAsync(http, upload),
        _ => uploads.CancelAsync(http, upload),
    };

    /// <summary>Tells the audit log what was changed. Blobs come with the manifests that need them, and go unsaid.</summary>
    private void Note(Call call, Route.InRepository route, RepositoryName name)
    {
        var response = call.Http.Response;
        var reference = route switch
        {
            Route.Manifest(_, var changed) => $"{changed}",
            Route.Blob(_, var digest) => $"{digest}",
            _ => null,
        };
        if (reference is not null && response.StatusCode is StatusCodes.Status201Created or StatusCodes.Status202Accepted)
        {
            var done = response.StatusCode == StatusCodes.Status201Created ? "pushed" : "deleted";
            audit.Changed(call.Visitor.Client, done, $"{name}", reference!, response.Headers["Docker-Content-Digest"].ToString() is { Length: > 0 } digest ? digest : null);
        }
    }

    /// <summary>A name that may be ours or an upstream's is refused in the same way whatever it is: what would help with either is said.</summary>
    private Task RefuseAsync(Call call, Rights wanted, Target target, RepositoryName name)
    {
        var remedy = call.Visitor.FindRemedy(wanted, target);
        if (remedy == Remedy.None && doors.FindOwn(call.Entrance, name) is { } own)
        {
            remedy = call.Visitor.FindRemedy(wanted, Target.Own(own));
        }

        return challenges.RefuseAsync(call.Http, call.Visitor, wanted, target, remedy);
    }

    private Target TargetOf(Call call, RepositoryName name, Place? place)
    {
        var fullName = place?.FullName ?? (call.Entrance.Namespace is { } ns ? $"{ns}/{name}" : $"{name}");
        return new Target(fullName, $"{name}", doors.IsPlain(call.Entrance));
    }

    private static RepositoryContent ContentOf(Route.InRepository route) => route switch
    {
        Route.Blob(_, var digest) => new RepositoryContent.OfBlob(digest),
        Route.Manifest(_, var reference) => new RepositoryContent.OfManifest(reference),
        Route.Referrers(_, var subject) => new RepositoryContent.OfManifest(subject),
        _ => new RepositoryContent.OfTags(),
    };

    private Task ListAsync(Call call, Func<Upstream?, Task> list)
    {
        var registry = doors.FindRegistry(call.Entrance);
        return !call.Visitor.MayList(registry?.Name) ? challenges.RefuseListAsync(call.Http, call.Visitor.FindListRemedy(registry?.Name))
            : registry is null && call.Entrance.Namespace is not null ? NoRegistryAsync(call)
            : list(registry);
    }

    private Task NoRegistryAsync(Call call) => RegistryError.NameUnknown.WriteAsync(
        call.Http,
        call.Entrance.Namespace is { } ns && doors.FindNamespace(ns) is null
            ? "the registry that ns names is not configured here"
            : "the name belongs to no configured registry");

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

    /// <param name="Http">The request.</param>
    /// <param name="Entrance">What it says of its registry.</param>
    /// <param name="Visitor">Who sent it.</param>
    private sealed record Call(HttpContext Http, Entrance Entrance, Visitor Visitor);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Method} {Path} answered {Status} to {Client} in {Milliseconds} ms")]
    private partial void LogRequest(string method, string path, int status, System.Net.IPAddress? client, double milliseconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed because of the store")]
    private partial void LogStoreFailed(Exception exception, string method, string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed in a way that it should not")]
    private partial void LogSurprise(Exception exception, string method, string path);
}
