using Microsoft.AspNetCore.Http;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Registry;

/// <summary>GET and HEAD of a manifest (distribution spec, end-3). Bytes and media type are the upstream's, whatever the client accepts.</summary>
internal sealed class ManifestEndpoint(TagCache tags, Completion completion)
{
    public async Task GetAsync(HttpContext http, UpstreamRepository repository, Reference reference)
    {
        var answer = reference.Tag is { } tag
            ? await tags.GetAsync(repository, tag, http.RequestAborted)
            : NotStale(await tags.GetByDigestAsync(repository, reference.Digest.GetValueOrDefault(), http.RequestAborted));
        switch (answer)
        {
            case RemoteAnswer<Tagged<Manifest>>.Found(var (manifest, stale)):
                if (Prepare(http, manifest.Descriptor, stale))
                {
                    // Before the client has it, and asks for what it says.
                    completion.ManifestRead(repository, manifest);
                    await http.Response.BodyWriter.WriteAsync(manifest.Content, http.RequestAborted);
                }

                break;

            case RemoteAnswer<Tagged<Manifest>>.Failed(var failure):
                await RegistryError.WriteAsync(http, failure, RegistryError.ManifestUnknown);
                break;
        }
    }

    public async Task HeadAsync(HttpContext http, UpstreamRepository repository, Reference reference)
    {
        if (reference.Tag is not { } tag)
        {
            // The body is left out; a digest that is asked for by HEAD is asked for by GET next.
            await GetAsync(http, repository, reference);
            return;
        }

        switch (await tags.HeadAsync(repository, tag, http.RequestAborted))
        {
            case RemoteAnswer<Tagged<Descriptor>>.Found(var (descriptor, stale)):
                Prepare(http, descriptor, stale);
                break;

            case RemoteAnswer<Tagged<Descriptor>>.Failed(var failure):
                await RegistryError.WriteAsync(http, failure, RegistryError.ManifestUnknown);
                break;
        }
    }

    /// <returns>Whether a body follows.</returns>
    private static bool Prepare(HttpContext http, Descriptor descriptor, bool stale)
    {
        RegistryHeaders.AddContent(http.Response, descriptor.Digest, descriptor.MediaType);
        if (stale)
        {
            RegistryHeaders.AddStale(http.Response);
        }

        if (RegistryHeaders.IsNotModified(http.Request, descriptor.Digest))
        {
            http.Response.StatusCode = StatusCodes.Status304NotModified;
            return false;
        }

        http.Response.ContentLength = descriptor.Size;
        return HttpMethods.IsGet(http.Request.Method);
    }

    private static RemoteAnswer<Tagged<Manifest>> NotStale(RemoteAnswer<Manifest> answer) => answer switch
    {
        RemoteAnswer<Manifest>.Found(var manifest) => new Tagged<Manifest>(manifest, Stale: false),
        RemoteAnswer<Manifest>.Failed(var failure) => failure,
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
