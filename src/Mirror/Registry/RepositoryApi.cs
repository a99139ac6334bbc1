using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Mirror.Access;
using Mirror.Caching;
using Mirror.Configuration;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>A request whose sender is known.</summary>
/// <param name="Http">The request.</param>
/// <param name="Entrance">What it says of its registry.</param>
/// <param name="Visitor">Who sent it.</param>
internal sealed record Call(HttpContext Http, Entrance Entrance, Visitor Visitor);

/// <summary>
/// Requests about a repository: which one that is, whether the visitor may do this with it, and then the endpoint. The right is asked before anything is
/// looked at, so who has none learns nothing of what there is.
/// </summary>
internal sealed class RepositoryApi(
    Doors doors,
    ReadAccess access,
    Challenges challenges,
    AuditLog audit,
    PullThrough cache,
    Store store,
    LocalRepositories repositories,
    BlobEndpoint blobs,
    ManifestEndpoint manifests,
    UploadEndpoint uploads,
    PushEndpoint pushes)
{
    public Task HandleAsync(Call call, Route.InRepository route) => IsRead(call.Http, route) ? ReadAsync(call, route) : ChangeAsync(call, route);

    /// <summary>Refuses what names a registry that there is not.</summary>
    public Task NoRegistryAsync(Call call) => RegistryError.NameUnknown.WriteAsync(
        call.Http,
        call.Entrance.Namespace is { } ns && doors.FindNamespace(ns) is null
            ? "the registry that ns names is not configured here"
            : "the name belongs to no configured registry");

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
            Route.Upload(_, var id) => GoOnAsync(http, new UploadKey(name, visitor.Owner, id)),
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
}
