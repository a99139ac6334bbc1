using Microsoft.AspNetCore.Http;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>What changes a repository of our own beside uploads: PUT of manifests (distribution spec, end-7), and DELETE (end-9, end-10).</summary>
internal sealed class PushEndpoint(LocalRepositories repositories, LocalRefs refs, TimeProvider time)
{
    /// <summary>Beside the one in the path.</summary>
    private const int MaxTags = 100;

    public async Task PutManifestAsync(HttpContext http, RepositoryName repository, Reference reference, Lender? lender)
    {
        var tags = new List<Tag>(reference.Tag is { } named ? [named] : []);
        foreach (var text in http.Request.Query["tag"])
        {
            if (!Tag.TryParse(text, out var tag))
            {
                await RegistryError.TagInvalid.WriteAsync(http, "a tag parameter is no tag");
                return;
            }

            tags.Add(tag);
        }

        if (tags.Count > MaxTags)
        {
            await RegistryError.TooManyTags.WriteAsync(http, $"at most {MaxTags} tags go with one manifest");
            return;
        }

        if (await new RequestBody(http, time).ReadWholeAsync(Manifest.MaxSize) is not { } content)
        {
            await RegistryError.ManifestTooLarge.WriteAsync(http, $"a manifest has at most {Manifest.MaxSize} bytes");
            return;
        }

        var contentType = http.Request.ContentType;
        var answer = await repositories.PushManifestAsync(repository, content, contentType, reference.Digest, tags, lender);
        await AnswerAsync(http, repository, reference, tags, answer);
    }

    public async Task DeleteManifestAsync(HttpContext http, RepositoryName repository, Reference reference)
    {
        var deleted = reference.Tag is { } tag
            ? await refs.RemoveTagAsync(repository, tag)
            : await refs.RemoveManifestAsync(repository, reference.Digest.GetValueOrDefault());
        await DeletedAsync(http, deleted is not null, RegistryError.ManifestUnknown);
    }

    public async Task DeleteBlobAsync(HttpContext http, RepositoryName repository, Digest digest) =>
        await DeletedAsync(http, await refs.RemoveBlobAsync(repository, digest), RegistryError.BlobUnknown);

    private static Task AnswerAsync(HttpContext http, RepositoryName repository, Reference reference, List<Tag> tags, PushAnswer answer)
    {
        switch (answer)
        {
            case PushAnswer.Pushed(var digest, var subject):
                var headers = http.Response.Headers;
                headers.Location = $"/v2/{repository}/manifests/{digest}";
                headers["Docker-Content-Digest"] = digest.ToString();
                if (subject is not null)
                {
                    headers["OCI-Subject"] = subject.ToString();
                }

                if (reference.Digest is not null && tags.Count > 0)
                {
                    headers["OCI-Tag"] = tags.ConvertAll(tag => tag.ToString()).ToArray();
                }

                http.Response.StatusCode = StatusCodes.Status201Created;
                http.Response.ContentLength = 0;
                return Task.CompletedTask;

            case PushAnswer.Invalid(var why):
                return RegistryError.ManifestInvalid.WriteAsync(http, why);

            case PushAnswer.OtherDigest(var actual):
                return RegistryError.OtherDigest.WriteAsync(http, $"the manifest's digest is {actual}");

            case PushAnswer.Lacking({ IsThere: true, Content: var content }):
                return RegistryError.SizeInvalid.WriteAsync(http, $"{content.Digest} has another size than the manifest's {content.Size}");

            case PushAnswer.Lacking({ Content: var content }):
                return RegistryError.ManifestBlobUnknown.WriteAsync(http, $"{content.Digest} was not pushed to this repository");

            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    private static Task DeletedAsync(HttpContext http, bool deleted, RegistryError unknown)
    {
        if (!deleted)
        {
            return unknown.WriteAsync(http);
        }

        http.Response.StatusCode = StatusCodes.Status202Accepted;
        http.Response.ContentLength = 0;
        return Task.CompletedTask;
    }
}
