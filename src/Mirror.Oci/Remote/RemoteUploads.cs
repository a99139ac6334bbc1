using System.Net;

namespace Mirror.Oci.Remote;

/// <summary>What pushing a blob came to.</summary>
/// <param name="Sent">The bytes that were sent, each as often as it was; 0 for a blob that the registry turned out to have.</param>
public readonly record struct PushedBlob(long Sent);

/// <summary>What asking a registry to mount a blob came to.</summary>
/// <param name="IsMounted">Whether the blob is there now.</param>
/// <param name="Upload">The upload that the registry has begun in place of that, if it has; it is to be gone on with or cancelled.</param>
public sealed record MountedBlob(bool IsMounted, RemoteUpload? Upload);

/// <summary>Pushes blobs to one registry (distribution spec, "Pushing blobs").</summary>
public sealed class RemoteUploads
{
    private readonly RegistryConnection _connection;
    private readonly RemoteRegistry _registry;

    internal RemoteUploads(RegistryConnection connection, RemoteRegistry registry) => (_connection, _registry) = (connection, registry);

    /// <summary>
    /// Asks for a blob that another repository of the registry has. A registry that does not mount, or not this blob, is no failure: the blob is
    /// to be pushed then, with the upload in the answer.
    /// </summary>
    public async Task<RemoteAnswer<MountedBlob>> MountAsync(
        RepositoryName repository, Digest digest, RepositoryName from, CancellationToken cancellationToken)
    {
        var query = $"mount={Uri.EscapeDataString(digest.ToString())}&from={Uri.EscapeDataString(from.ToString())}";
        var push = _connection.Push(HttpMethod.Post, repository, $"blobs/uploads/?{query}");
        var request = push with { Content = Empty, Scope = from == repository ? push.Scope : $"{push.Scope} repository:{from}:pull" };
        switch (await _connection.Sender.SendAsync(request, cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                using (response)
                {
                    return response.StatusCode == HttpStatusCode.Created
                        ? FaultIn(response, digest) is { } fault ? fault : new MountedBlob(IsMounted: true, null)
                        : new MountedBlob(IsMounted: false, FindUpload(response, request.Target) is RemoteAnswer<RemoteUpload>.Found(var upload) ? upload : null);
                }

            case RemoteAnswer<HttpResponseMessage>.Failed({ Status: >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError } failure)
                when failure is not RemoteFailure.Throttled:
                return new MountedBlob(IsMounted: false, null);

            case var other:
                return _connection.FailureOf(other);
        }
    }

    /// <summary>
    /// Pushes a blob, whatever breaks off on the way: what the registry has of it is asked for, and the rest sent. The bytes are hashed as they are
    /// sent, and an upload whose digest is wrong is cancelled and never finished.
    /// </summary>
    /// <param name="repository">Where it goes.</param>
    /// <param name="blob">Its digest and size.</param>
    /// <param name="open">Its content. What it throws is tried again like what the registry breaks off, and in the end thrown.</param>
    /// <param name="transfer">Its turn among the other transfers of this registry.</param>
    /// <param name="begun">An upload to go on with, perhaps an earlier process's; null for a new one.</param>
    /// <param name="reached">Told each time how to go on from here, were this process to end now.</param>
    /// <param name="cancellationToken">Ends it; the upload stays, to be gone on with.</param>
    public async Task<RemoteAnswer<PushedBlob>> PushAsync(
        RepositoryName repository,
        Descriptor blob,
        OpenContent open,
        Transfer transfer,
        RemoteUpload? begun,
        Action<RemoteUpload> reached,
        CancellationToken cancellationToken)
    {
        await using var outgoing = new OutgoingBlob(blob, open);
        return await new BlobPush(_connection, this, repository, outgoing, transfer, reached, cancellationToken).RunAsync(begun);
    }

    /// <summary>Gives an upload up. One that the registry no longer knows is no failure.</summary>
    public async Task<RemoteFailure?> CancelAsync(RepositoryName repository, RemoteUpload upload, CancellationToken cancellationToken)
    {
        if (FindFault(upload.Location, out var location) is { } fault)
        {
            return fault;
        }

        switch (await _connection.Sender.SendAsync(RegistryConnection.Delete(repository, location), cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                response.Dispose();
                return null;

            case var other:
                var failure = _connection.FailureOf(other);
                return WriteFailures.IsUploadGone(failure) ? null : WriteFailures.Of(failure);
        }
    }

    internal async Task<RemoteAnswer<RemoteUpload>> BeginAsync(RepositoryName repository, CancellationToken cancellationToken)
    {
        var request = _connection.Push(HttpMethod.Post, repository, "blobs/uploads/") with { Content = Empty };
        return await UploadOfAsync(request, cancellationToken);
    }

    /// <summary>How far an upload has come. None (<c>0-0</c>) and one byte look the same, and both are said as one.</summary>
    internal async Task<RemoteAnswer<RemoteUpload>> AskAsync(RepositoryName repository, RemoteUpload upload, CancellationToken cancellationToken)
    {
        if (FindFault(upload.Location, out var location) is { } fault)
        {
            return fault;
        }

        return await UploadOfAsync(RegistryConnection.Push(HttpMethod.Get, repository, location), cancellationToken) switch
        {
            RemoteAnswer<RemoteUpload>.Found(var found) => found with { ChunkMinLength = found.ChunkMinLength ?? upload.ChunkMinLength },
            var other => other,
        };
    }

    /// <summary>The blob is there, unless the registry says that it has another.</summary>
    internal RemoteFailure? FaultIn(HttpResponseMessage response, Digest digest) =>
        RegistryConnection.FindDigest(response) is { } named && named.Algorithm == digest.Algorithm && named != digest
            ? _connection.BadAnswer($"took {digest} and says that it is {named}")
            : null;

    /// <summary>The upload that an answer leads on to.</summary>
    internal RemoteAnswer<RemoteUpload> FindUpload(HttpResponseMessage response, Uri asked)
    {
        var text = response.Headers.NonValidated.TryGetValues("Location", out var values) ? values.ToString() : null;
        asked = response.RequestMessage?.RequestUri ?? asked;
        if (!UploadLocation.TryResolve(text, asked, out var location))
        {
            return _connection.BadAnswer("does not say where an upload goes on");
        }

        if (RequestSender.FindFault(_connection.Options, asked, location) is { } fault)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Forbidden, fault);
        }

        var min = response.Headers.NonValidated.TryGetValues("OCI-Chunk-Min-Length", out var lengths)
            && long.TryParse(lengths.ToString(), out var length) && length > 0 ? length : (long?)null;
        return new RemoteUpload(location.OriginalString, UploadLocation.FindLength(response) ?? 0, min);
    }

    /// <summary>A saved location is no more to be trusted than one that has just been said.</summary>
    internal RemoteFailure? FindFault(string text, out Uri location)
    {
        var isAddress = UploadLocation.TryParse(text, out var parsed);
        location = isAddress ? parsed! : _connection.Options.Url;
        return !isAddress ? new RemoteFailure.Unavailable(UnavailableReason.Forbidden, "an upload's location is no address")
            : RequestSender.FindFault(_connection.Options, _connection.Options.Url, location) is { } fault
                ? new RemoteFailure.Unavailable(UnavailableReason.Forbidden, fault)
                : null;
    }

    internal static ByteArrayContent Empty() => new([]);

    private async Task<RemoteAnswer<RemoteUpload>> UploadOfAsync(RemoteRequest request, CancellationToken cancellationToken)
    {
        switch (await _connection.Sender.SendAsync(request, cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                using (response)
                {
                    return FindUpload(response, request.Target);
                }

            case var other:
                return _connection.FailureOf(other);
        }
    }

    internal Task<RemoteAnswer<BlobSize>> HeadAsync(RepositoryName repository, Digest digest, CancellationToken cancellationToken) =>
        _registry.HeadBlobAsync(repository, digest, cancellationToken);
}
