using Microsoft.AspNetCore.Http;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>GET and HEAD of a manifest (distribution spec, end-3). Bytes and media type are as they were pushed, whatever the client accepts.</summary>
internal sealed class ManifestEndpoint(LastUses uses)
{
    public async Task GetAsync(HttpContext http, IRepository repository, Reference reference)
    {
        switch (await repository.GetManifestAsync(reference, http.RequestAborted))
        {
            case RemoteAnswer<Tagged<Manifest>>.Found(var (manifest, stale)):
                if (Prepare(http, manifest.Descriptor, stale))
                {
                    await http.Response.BodyWriter.WriteAsync(manifest.Content, http.RequestAborted);
                }

                break;

            case RemoteAnswer<Tagged<Manifest>>.Failed(var failure):
                await RegistryError.WriteAsync(http, failure, RegistryError.ManifestUnknown);
                break;
        }
    }

    public async Task HeadAsync(HttpContext http, IRepository repository, Reference reference)
    {
        switch (await repository.HeadManifestAsync(reference, http.RequestAborted))
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
    private bool Prepare(HttpContext http, Descriptor descriptor, bool stale)
    {
        uses.Note(descriptor.Digest);
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
        return true;
    }
}
