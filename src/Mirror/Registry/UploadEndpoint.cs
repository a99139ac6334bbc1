using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>
/// Pushing a blob (distribution spec, end-4 to end-6, end-13 and end-14; Docker's v2 API says the same in the same way): in one request, in two, or in
/// chunks, each of which goes on where the last one ended, whatever became of its connection.
/// </summary>
internal sealed class UploadEndpoint(Uploads uploads, LocalRepositories repositories, LocalRefs refs, TimeProvider time)
{
    /// <summary>A client that sends nothing for so long has gone. What it has sent stays.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(1);

    /// <summary>How many repositories are looked at that a blob could be mounted from, where the client names none.</summary>
    private const int MaxSources = 20;

    /// <summary>POST to <c>uploads/</c>: a mount, a whole blob, or the beginning of an upload.</summary>
    public async Task BeginAsync(HttpContext http, RepositoryName repository)
    {
        var query = http.Request.Query;
        if (Digest.TryParse(query["mount"].ToString(), out var mounted)
            && await repositories.TryMountAsync(repository, mounted, FindSources(mounted, query["from"].ToString())))
        {
            Created(http, repository, mounted);
            return;
        }

        var digest = (Digest?)null;
        if (query["digest"].ToString() is { Length: > 0 } text)
        {
            if (!Digest.TryParse(text, out var given))
            {
                await RegistryError.DigestInvalid.WriteAsync(http);
                return;
            }

            digest = given;
        }

        var algorithm = digest?.Algorithm ?? (query["digest-algorithm"] == "sha512" ? DigestAlgorithm.Sha512 : DigestAlgorithm.Sha256);
        if (uploads.Begin(repository, algorithm, ClientOf(http)) is not { } upload)
        {
            await RegistryError.TooManyRequests.WriteAsync(
                http, $"this client has {Uploads.MaxPerClient} uploads in progress already", ("Retry-After", "60"));
            return;
        }

        if (digest is null)
        {
            Accepted(http, StatusCodes.Status202Accepted, upload);
            return;
        }

        using var turn = await upload.TakeTurnAsync(http.RequestAborted);
        await FinishAsync(http, upload, turn, digest.Value);
    }

    /// <summary>GET of an upload: how far it is.</summary>
    public Task StatusAsync(HttpContext http, RepositoryName repository, UploadId id)
    {
        if (uploads.Find(repository, id, ClientOf(http)) is not { } upload)
        {
            return RegistryError.BlobUploadUnknown.WriteAsync(http);
        }

        Accepted(http, StatusCodes.Status204NoContent, upload);
        return Task.CompletedTask;
    }
}
