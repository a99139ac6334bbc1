using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Mirror.Oci.Remote;

/// <summary>
/// The client for one remote registry (distribution spec 1.1). Whatever the other side does, every method answers in our
/// terms; only the caller's own cancellation is thrown. Manifests that come are verified here; blobs by who receives them.
/// </summary>
public sealed class RemoteRegistry : IDisposable
{
    private static readonly string AcceptManifests = string.Join(", ", MediaTypes.Manifests);

    private readonly RegistryConnection _connection;
    private readonly RemoteRegistryOptions _options;
    private readonly TimeProvider _time;
    private readonly RequestSender _sender;

    public RemoteRegistry(RemoteRegistryOptions options, TimeProvider time)
    {
        _connection = new RegistryConnection(options, time);
        (_options, _time, _sender) = (options, time, _connection.Sender);
        Listings = new RemoteListings(_connection, this);
        Uploads = new RemoteUploads(_connection, this);
        Manifests = new RemoteManifests(_connection, this);
    }

    public string Name => _options.Name;

    public Uri Url => _options.Url;

    /// <summary>What there is: repositories, tags, referrers.</summary>
    public RemoteListings Listings { get; }

    /// <summary>Blobs that are pushed.</summary>
    public RemoteUploads Uploads { get; }

    /// <summary>Manifests that are pushed or deleted.</summary>
    public RemoteManifests Manifests { get; }

    /// <summary>What the registry last said of our quota; null where it never did.</summary>
    public RateLimit? RateLimit => _sender.RateLimit;

    /// <summary>Whether one more transfer for a client would have to wait for a connection.</summary>
    public bool IsFull => _connection.Slots.IsFull;

    /// <summary>How many connections are for transfers that no client waits for.</summary>
    public int SpareConnections => _connection.Slots.Spare;

    /// <summary>A blob's transfer, from here or to it, over all its attempts, one after the other.</summary>
    public Transfer StartTransfer(TransferPriority priority) => new(_connection.Slots, _connection.Bandwidth, priority);

    /// <summary>
    /// What a tag points to, or what a manifest is: a HEAD, which costs no quota at Docker Hub, and a GET where the registry's HEAD is of no
    /// use: refused, without a digest, or 404 (chained proxies answer HEAD with 404 for what GET would fetch, others with 403).
    /// </summary>
    /// <param name="repository">Where the manifest is.</param>
    /// <param name="reference">The tag or digest.</param>
    /// <param name="known">What the tag pointed to when last asked; the answer may then be Unchanged.</param>
    /// <param name="patience">Whether what fails is tried again.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="believesMissing">
    /// Whether a 404 that the registry has answered to HEAD is enough: of one that keeps what is pushed to it, and asks no other.
    /// </param>
    public async Task<RemoteAnswer<ResolvedTag>> ResolveAsync(
        RepositoryName repository,
        Reference reference,
        Digest? known,
        RemotePatience patience,
        CancellationToken cancellationToken,
        bool believesMissing = false)
    {
        var head = await HeadManifestAsync(repository, reference, known, patience, cancellationToken);
        return head is RemoteAnswer<ResolvedTag>.Failed(var failure)
            && ((failure is RemoteFailure.Missing && !believesMissing) || IsHeadOfNoUse(failure))
            ? await ResolveByGetAsync(repository, reference, known, patience, cancellationToken)
            : head;
    }

    /// <summary>A manifest of at most <see cref="Manifest.MaxSize"/> bytes. One asked for by digest has that digest.</summary>
    public async Task<RemoteAnswer<Manifest>> GetManifestAsync(
        RepositoryName repository, Reference reference, CancellationToken cancellationToken) =>
        await GetManifestAsync(repository, reference, known: null, RemotePatience.Retry, cancellationToken);

    /// <summary>
    /// Opens a blob from <paramref name="offset"/> on, up to its end or <paramref name="last"/>. What arrives is not verified: it may be
    /// anything, of any length. Waits for a connection where too many blobs are being transferred, until the answer is disposed.
    /// </summary>
    public async Task<RemoteAnswer<RemoteBlob>> OpenBlobAsync(
        RepositoryName repository,
        Digest digest,
        long offset,
        Transfer transfer,
        CancellationToken cancellationToken,
        long? last = null,
        RemotePatience patience = RemotePatience.Retry)
    {
        var slot = await transfer.EnterAsync(cancellationToken);
        RemoteAnswer<RemoteBlob>? answer = null;
        try
        {
            return answer = await RequestBlobAsync(repository, digest, offset, last, patience, slot, cancellationToken);
        }
        finally
        {
            if (answer is not RemoteAnswer<RemoteBlob>.Found)
            {
                slot.Dispose();
            }
        }
    }

    /// <summary>
    /// Whether the repository has a blob, and its size: a HEAD, or the headers of a GET where the registry's HEAD is of no use (object stores
    /// behind a redirect that is signed for GET refuse it).
    /// </summary>
    public async Task<RemoteAnswer<BlobSize>> HeadBlobAsync(
        RepositoryName repository, Digest digest, CancellationToken cancellationToken, RemotePatience patience = RemotePatience.Retry)
    {
        var head = await AskBlobSizeAsync(repository, digest, patience, cancellationToken);
        if (head is not RemoteAnswer<BlobSize>.Failed(var useless) || !IsHeadOfNoUse(useless))
        {
            return head;
        }

        switch (await RequestBlobAsync(repository, digest, 0, last: null, patience, slot: null, cancellationToken))
        {
            case RemoteAnswer<RemoteBlob>.Found(var blob):
                await using (blob)
                {
                    return new BlobSize(blob.Size);
                }

            case RemoteAnswer<RemoteBlob>.Failed(var failure):
                return failure;

            default:
                throw new UnreachableException();
        }
    }

    public void Dispose() => _connection.Dispose();

    private async Task<RemoteAnswer<RemoteBlob>> RequestBlobAsync(
        RepositoryName repository,
        Digest digest,
        long offset,
        long? last,
        RemotePatience patience,
        TransferSlot? slot,
        CancellationToken cancellationToken)
    {
        var request = _connection.Pull(HttpMethod.Get, repository, $"blobs/{digest}") with
        {
            Patience = patience,
            Range = offset > 0 || last is not null ? new RangeHeaderValue(offset, last) : null,
        };
        switch (await _sender.SendAsync(request, cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                var start = response.StatusCode == HttpStatusCode.PartialContent ? response.Content.Headers.ContentRange?.From ?? -1 : 0;
                if (start != 0 && start != offset)
                {
                    response.Dispose();
                    return new RemoteFailure.Unavailable(UnavailableReason.Unsupported, $"{Name} answered another range than the one asked for");
                }

                var size = response.StatusCode == HttpStatusCode.PartialContent
                    ? response.Content.Headers.ContentRange?.Length
                    : response.Content.Headers.ContentLength;
                return new RemoteBlob(await RemoteBody.OpenAsync(response, _options, _time, cancellationToken, slot), start, size);

            case var other:
                return FailureOf(other);
        }
    }

    private async Task<RemoteAnswer<BlobSize>> AskBlobSizeAsync(
        RepositoryName repository, Digest digest, RemotePatience patience, CancellationToken cancellationToken)
    {
        var request = _connection.Pull(HttpMethod.Head, repository, $"blobs/{digest}") with { Patience = patience };
        switch (await _sender.SendAsync(request, cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                using (response)
                {
                    return new BlobSize(response.Content.Headers.ContentLength);
                }

            case var other:
                return FailureOf(other);
        }
    }

    private async Task<RemoteAnswer<ResolvedTag>> HeadManifestAsync(
        RepositoryName repository, Reference reference, Digest? known, RemotePatience patience, CancellationToken cancellationToken)
    {
        var request = ManifestRequest(HttpMethod.Head, repository, reference, known, patience);
        switch (await _sender.SendAsync(request, cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                using (response)
                {
                    return FindDescriptor(response) is { } descriptor
                        ? new ResolvedTag(descriptor, null)
                        : new RemoteFailure.Unavailable(UnavailableReason.Unsupported, $"{Name} answered HEAD without digest, type or length");
                }

            case RemoteAnswer<HttpResponseMessage>.Unchanged when known is not null:
                return new RemoteAnswer<ResolvedTag>.Unchanged();

            case var other:
                return FailureOf(other);
        }
    }

    private async Task<RemoteAnswer<ResolvedTag>> ResolveByGetAsync(
        RepositoryName repository, Reference reference, Digest? known, RemotePatience patience, CancellationToken cancellationToken) =>
        await GetManifestAsync(repository, reference, known, patience, cancellationToken) switch
        {
            RemoteAnswer<Manifest>.Found(var manifest) => new ResolvedTag(manifest.Descriptor, manifest),
            RemoteAnswer<Manifest>.Unchanged => new RemoteAnswer<ResolvedTag>.Unchanged(),
            RemoteAnswer<Manifest>.Failed(var failure) => failure,
            _ => throw new UnreachableException(),
        };

    private async Task<RemoteAnswer<Manifest>> GetManifestAsync(
        RepositoryName repository, Reference reference, Digest? known, RemotePatience patience, CancellationToken cancellationToken)
    {
        switch (await _sender.SendAsync(ManifestRequest(HttpMethod.Get, repository, reference, known, patience), cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                return await ReadManifestAsync(response, reference, cancellationToken);

            case RemoteAnswer<HttpResponseMessage>.Unchanged when known is not null:
                return new RemoteAnswer<Manifest>.Unchanged();

            case var other:
                return FailureOf(other);
        }
    }

    private async Task<RemoteAnswer<Manifest>> ReadManifestAsync(HttpResponseMessage response, Reference reference, CancellationToken cancellationToken)
    {
        var contentType = FindContentType(response);
        var named = RegistryConnection.FindDigest(response);
        var expected = reference.Digest ?? named;
        try
        {
            await using var body = await RemoteBody.OpenAsync(response, _options, _time, cancellationToken);
            var content = await body.ReadWholeAsync(Manifest.MaxSize);
            if (!Manifest.TryParse(content, contentType, expected?.Algorithm ?? DigestAlgorithm.Sha256, out var manifest, out var fault))
            {
                return BadAnswer($"answered with a manifest that can not be used: {fault}");
            }

            return expected is null || manifest.Digest == expected
                ? manifest
                : BadAnswer($"answered with a manifest whose digest is {manifest.Digest}, not {expected}");
        }
        catch (RemoteReadException e)
        {
            return e.Failure;
        }
    }

    private static bool IsHeadOfNoUse(RemoteFailure failure) =>
        failure is RemoteFailure.Denied or RemoteFailure.Unavailable { Reason: UnavailableReason.Unsupported };

    private RemoteRequest ManifestRequest(
        HttpMethod method, RepositoryName repository, Reference reference, Digest? known, RemotePatience patience) =>
        _connection.Pull(method, repository, $"manifests/{reference}") with
        {
            Patience = patience,
            Accept = AcceptManifests,
            IfNoneMatch = known is null ? null : $"\"{known}\"",
        };

    private static Descriptor? FindDescriptor(HttpResponseMessage response) =>
        RegistryConnection.FindDigest(response) is { } digest && response.Content.Headers.ContentLength is { } size && FindContentType(response) is { } contentType
        && MediaTypes.WithoutParameters(contentType) is var mediaType && MediaTypes.IsManifest(mediaType)
            ? new Descriptor(mediaType, digest, size)
            : null;

    private static string? FindContentType(HttpResponseMessage response) =>
        response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var values) ? values.ToString() : null;

    private RemoteFailure FailureOf(RemoteAnswer<HttpResponseMessage> answer) => _connection.FailureOf(answer);

    private RemoteFailure.Unavailable BadAnswer(string what) => _connection.BadAnswer(what);
}

/// <summary>A blob's size in bytes, or null where the registry does not say.</summary>
public readonly record struct BlobSize(long? Bytes);
