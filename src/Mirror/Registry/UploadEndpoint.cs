using Microsoft.AspNetCore.Http;
using Mirror.Access;
using Mirror.Configuration;
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
    /// <summary>
    /// What a chunk should have, in bytes, but for the last one; a smaller one is taken too. Between two chunks a client waits for an answer: with 50 ms
    /// on the way, chunks of this size still make 80 MB a second. Most clients hold one in memory, and send no more than that again after a break.
    /// </summary>
    private const int ChunkMinLength = 4 * 1024 * 1024;

    /// <summary>How many repositories are looked at that a blob could be mounted from, where the client names none.</summary>
    private const int MaxSources = 20;

    /// <summary>POST to <c>uploads/</c>: a mount, a whole blob, or the beginning of an upload.</summary>
    public async Task BeginAsync(HttpContext http, RepositoryName repository, Visitor visitor)
    {
        var query = http.Request.Query;
        if (Digest.TryParse(query["mount"].ToString(), out var mounted)
            && await repositories.TryMountAsync(repository, mounted, FindSources(mounted, query["from"].ToString()).Where(source => visitor.May(Rights.Pull, source))))
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

        if ((digest?.Algorithm ?? FindAlgorithm(query["digest-algorithm"].ToString())) is not { } algorithm)
        {
            await RegistryError.DigestInvalid.WriteAsync(http, "digest-algorithm is neither sha256 nor sha512");
            return;
        }

        if (uploads.Begin(repository, algorithm, visitor.Owner, AddressOf(http)) is not { } upload)
        {
            await RegistryError.TooManyRequests.WriteAsync(
                http, $"this client has {Uploads.MaxPerClient} uploads in progress already", ("Retry-After", "60"));
            return;
        }

        if (digest is null)
        {
            http.Response.Headers["OCI-Chunk-Min-Length"] = $"{ChunkMinLength}";
            Accepted(http, StatusCodes.Status202Accepted, upload);
            return;
        }

        try
        {
            using var turn = await upload.TakeTurnAsync(http.RequestAborted);
            await FinishAsync(http, upload, turn, digest.Value);
        }
        finally
        {
            // Nobody knows it, so nobody can go on with it.
            uploads.Discard(upload);
        }
    }

    /// <summary>GET of an upload: how far it is, and stays until somebody goes on with it from there.</summary>
    public async Task StatusAsync(HttpContext http, UploadKey key)
    {
        while (uploads.Find(key, AddressOf(http)) is { } upload)
        {
            if (await upload.TrySettleAsync(http.RequestAborted))
            {
                Accepted(http, StatusCodes.Status204NoContent, upload);
                return;
            }

            uploads.Forget(upload);
        }

        await RegistryError.BlobUploadUnknown.WriteAsync(http);
    }

    /// <summary>PATCH of an upload: the next chunk, or all of it in a stream.</summary>
    public Task AppendAsync(HttpContext http, UploadKey key) => InTurnAsync(http, key, async (upload, turn) =>
    {
        if (await TryReceiveAsync(http, upload, turn))
        {
            Accepted(http, StatusCodes.Status202Accepted, upload);
        }
    });

    /// <summary>PUT of an upload: its last chunk, if there is one, and its digest.</summary>
    public async Task FinishAsync(HttpContext http, UploadKey key)
    {
        if (!Digest.TryParse(http.Request.Query["digest"].ToString(), out var digest))
        {
            await RegistryError.DigestInvalid.WriteAsync(http);
        }
        else if (await TryInTurnAsync(http, key, (upload, turn) => FinishAsync(http, upload, turn, digest)))
        {
            return;
        }
        else if (await repositories.TryMountAsync(key.Repository, digest, [key.Repository]))
        {
            // An earlier PUT has finished it, and the answer to that was lost on its way.
            Created(http, key.Repository, digest);
        }
        else
        {
            await RegistryError.BlobUploadUnknown.WriteAsync(http);
        }
    }

    /// <summary>DELETE of an upload: nobody wants it any more.</summary>
    public Task CancelAsync(HttpContext http, UploadKey key) => InTurnAsync(http, key, (upload, turn) =>
    {
        turn.Cancel();
        uploads.Forget(upload);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    });

    private async Task InTurnAsync(HttpContext http, UploadKey key, Func<Upload, UploadTurn, Task> go)
    {
        if (!await TryInTurnAsync(http, key, go))
        {
            await RegistryError.BlobUploadUnknown.WriteAsync(http);
        }
    }

    /// <returns>Whether there is such an upload.</returns>
    private async Task<bool> TryInTurnAsync(HttpContext http, UploadKey key, Func<Upload, UploadTurn, Task> go)
    {
        while (uploads.Find(key, AddressOf(http)) is { } upload)
        {
            using var turn = await upload.TakeTurnAsync(http.RequestAborted);
            if (!turn.IsOver)
            {
                await go(upload, turn);
                return true;
            }

            // It has ended meanwhile, or only its file was closed and the next one found opens that again.
            uploads.Forget(upload);
        }

        return false;
    }

    private async Task FinishAsync(HttpContext http, Upload upload, UploadTurn turn, Digest digest)
    {
        if (!await TryReceiveAsync(http, upload, turn))
        {
            return;
        }

        if (!turn.Verify(digest))
        {
            turn.Cancel();
            uploads.Forget(upload);
            await RegistryError.OtherDigest.WriteAsync(http, $"what was uploaded, {turn.Length} bytes, is not {digest}");
            return;
        }

        try
        {
            await repositories.PushBlobAsync(turn, upload.Key.Repository, digest);
        }
        finally
        {
            if (turn.IsOver)
            {
                uploads.Forget(upload);
            }
        }

        Created(http, upload.Key.Repository, digest);
    }

    /// <summary>Receives the request's body, if it is the upload's next piece.</summary>
    /// <returns>Whether it is, and is all there; if not, the answer has been given.</returns>
    private async Task<bool> TryReceiveAsync(HttpContext http, Upload upload, UploadTurn turn)
    {
        var header = http.Request.Headers.ContentRange.ToString();
        var range = ContentRange.Find(header);
        if (header.Length > 0 && range?.Start != upload.Length)
        {
            await RegistryError.UploadRangeInvalid.WriteAsync(
                http, $"the next byte of this upload is {upload.Length}", ("Location", LocationOf(upload)), ("Range", RangeOf(upload)));
            return false;
        }

        var announced = http.Request.ContentLength;
        if (range is not null && announced is not null && announced != range.Value.Length)
        {
            await RegistryError.SizeInvalid.WriteAsync(http, "Content-Range and Content-Length disagree");
            return false;
        }

        if (!await turn.AppendAsync(http.Request.BodyReader, range?.Length ?? announced, (body, ended) => RequestBody.ReadAsync(body, time, ended)))
        {
            await RegistryError.SizeInvalid.WriteAsync(http, "the body is not as long as its Content-Range says");
            return false;
        }

        return true;
    }

    private IEnumerable<RepositoryName> FindSources(Digest digest, string from) =>
        from.Length == 0 ? refs.FindHolders(digest, MaxSources)
            : RepositoryName.TryParse(from, out var source) ? [source]
            : [];

    /// <returns>Null where there is none of this name.</returns>
    private static DigestAlgorithm? FindAlgorithm(string name) => name switch
    {
        "" or "sha256" => DigestAlgorithm.Sha256,
        "sha512" => DigestAlgorithm.Sha512,
        _ => null,
    };

    private static void Accepted(HttpContext http, int status, Upload upload)
    {
        http.Response.StatusCode = status;
        http.Response.Headers.Location = LocationOf(upload);
        http.Response.Headers.Range = RangeOf(upload);
        http.Response.Headers["Docker-Upload-UUID"] = upload.Key.Id.ToString();
        if (status != StatusCodes.Status204NoContent)
        {
            http.Response.ContentLength = 0;
        }
    }

    private static void Created(HttpContext http, RepositoryName repository, Digest digest)
    {
        http.Response.StatusCode = StatusCodes.Status201Created;
        http.Response.Headers.Location = $"/v2/{repository}/blobs/{digest}";
        http.Response.Headers["Docker-Content-Digest"] = digest.ToString();
        http.Response.ContentLength = 0;
    }

    private static string LocationOf(Upload upload) => $"/v2/{upload.Key.Repository}/blobs/uploads/{upload.Key.Id}";

    /// <summary>What was received; the form has none for nothing, and 0-0 stands for that too (distribution spec, "Getting upload status").</summary>
    private static string RangeOf(Upload upload) => $"0-{Math.Max(0, upload.Length - 1)}";

    private static string AddressOf(HttpContext http) => http.Connection.RemoteIpAddress?.ToString() ?? "";
}
