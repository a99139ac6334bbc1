using Microsoft.AspNetCore.WebUtilities;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>How a fake registry takes what is pushed to it, where registries differ.</summary>
public sealed record PushOptions
{
    /// <summary>Whether a blob of another repository can be mounted; if not, an upload begins.</summary>
    public bool Mounts { get; init; } = true;

    /// <summary>Said when an upload begins; null for nothing.</summary>
    public long? ChunkMinLength { get; init; }

    /// <summary>The Location header of an upload, made from its path and query.</summary>
    public Func<string, string> Location { get; init; } = path => path;

    /// <summary>Whether the registry has the referrers API, and says so when a manifest with a subject is pushed.</summary>
    public bool KeepsReferrers { get; init; } = true;

    /// <summary>Whether an index may refer to what is not there.</summary>
    public bool TakesSparse { get; init; }
}

/// <summary>The distribution specification's writing endpoints. Uploads are in memory, and stay when their connection breaks.</summary>
internal sealed class PushApi(Content content)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Upload> _uploads = [];
    private int _number;

    public PushOptions Options { get; set; } = new();

    public int UploadsInProgress
    {
        get
        {
            lock (_lock)
            {
                return _uploads.Count;
            }
        }
    }

    public void ForgetUploads()
    {
        lock (_lock)
        {
            _uploads.Clear();
        }
    }

    /// <summary>Null for what is no write.</summary>
    public Answer? TryAnswerTo(RecordedRequest request)
    {
        lock (_lock)
        {
            return (request.Method.Method, request.Path.Split('/')) switch
            {
                ("POST", ["", "v2", .. var name, "blobs", "uploads", ""]) => Begin(request, NameOf(name)), // end-4, end-11
                ("GET", ["", "v2", .., "blobs", "uploads", var id]) => InUpload(request, id, upload => Accepted(request, upload, 204)), // end-13
                ("PATCH", ["", "v2", .., "blobs", "uploads", var id]) => InUpload(request, id, upload => Append(request, upload)), // end-5
                ("PUT", ["", "v2", .., "blobs", "uploads", var id]) => InUpload(request, id, upload => Finish(request, upload)), // end-6
                ("DELETE", ["", "v2", .., "blobs", "uploads", var id]) => InUpload(request, id, upload => Cancel(request, upload)), // end-14
                ("PUT", ["", "v2", .. var name, "manifests", var reference]) => PutManifest(request, NameOf(name), Parse(reference)), // end-7
                ("DELETE", ["", "v2", .. var name, "manifests", var reference]) => Delete(request, NameOf(name), Parse(reference)), // end-9
                _ => null,
            };
        }
    }

    private Answer Begin(RecordedRequest request, RepositoryName repository)
    {
        var query = QueryHelpers.ParseQuery(request.Query);
        if (Options.Mounts && Digest.TryParse(query.GetValueOrDefault("mount").ToString(), out var digest)
            && RepositoryName.TryParse(query.GetValueOrDefault("from").ToString(), out var from) && content.FindBlob(from, digest) is { } blob)
        {
            content.AddBlob(repository, blob);
            return Created(request, digest);
        }

        var id = $"upload-{++_number}";
        // A state as it may be: its escapes are not those that a client would choose.
        var upload = _uploads[id] = new Upload(id, repository, $"/v2/{repository}/blobs/uploads/{id}?_state=%7Estate{_number}%3d%3D&x=a~b+c%2f");
        var answer = Accepted(request, upload, 202);
        if (Options.ChunkMinLength is { } min)
        {
            answer.Headers["OCI-Chunk-Min-Length"] = $"{min}";
        }

        return answer;
    }

    /// <summary>Who changes anything of the location does not mean this upload.</summary>
    private Answer InUpload(RecordedRequest request, string id, Func<Upload, Answer> answer) =>
        _uploads.TryGetValue(id, out var upload) && (request.Target + "&").StartsWith(upload.Target + "&", StringComparison.Ordinal)
            ? answer(upload)
            : Answer.Error(request, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");

    private Answer Append(RecordedRequest request, Upload upload)
    {
        if (request.Header("Content-Range") is { } range && !range.StartsWith($"{upload.Bytes.Length}-", StringComparison.Ordinal))
        {
            var refusal = Answer.Error(request, 416, "RANGE_INVALID", "not the next bytes");
            refusal.Headers["Range"] = RangeOf(upload);
            return refusal;
        }

        upload.Bytes.Write(request.Received.Span);
        return Accepted(request, upload, 202);
    }

    private Answer Finish(RecordedRequest request, Upload upload)
    {
        upload.Bytes.Write(request.Received.Span);
        if (!request.IsReceivedWhole)
        {
            return Accepted(request, upload, 202);
        }

        _uploads.Remove(upload.Id);
        var blob = TestBlob.Of(upload.Bytes.ToArray());
        if (!Digest.TryParse(QueryHelpers.ParseQuery(request.Query).GetValueOrDefault("digest").ToString(), out var digest)
            || !digest.Matches(blob.Content.Span))
        {
            return Answer.Error(request, 400, "DIGEST_INVALID", "the digest is not the content's");
        }

        content.AddBlob(upload.Repository, blob with { Descriptor = blob.Descriptor with { Digest = digest } });
        return Created(request, digest);
    }

    private Answer Cancel(RecordedRequest request, Upload upload)
    {
        _uploads.Remove(upload.Id);
        return new Answer(request, 204);
    }

    private Answer PutManifest(RecordedRequest request, RepositoryName repository, Reference reference)
    {
        var bytes = request.Received.ToArray();
        var algorithm = reference.Digest?.Algorithm ?? DigestAlgorithm.Sha256;
        if (!Manifest.TryParse(bytes, request.Header("Content-Type"), algorithm, out var manifest, out var fault))
        {
            return Answer.Error(request, 400, "MANIFEST_INVALID", fault.Replace('"', '\''));
        }

        if (reference.Digest is { } named && named != manifest.Digest)
        {
            return Answer.Error(request, 400, "DIGEST_INVALID", "the digest is not the content's");
        }

        var view = manifest.View();
        if (view.Blobs.Any(blob => content.FindBlob(repository, blob.Digest) is null)
            || (!Options.TakesSparse && view.Children.Any(child => content.FindManifest(repository, child.Digest) is null)))
        {
            return Answer.Error(request, 400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
        }

        content.AddManifest(repository, TestBlob.Of(bytes, request.Header("Content-Type")!, algorithm));
        if (reference.Tag is not null)
        {
            content.Tag(repository, reference.ToString(), manifest.Digest);
        }

        var answer = Created(request, manifest.Digest);
        if (Options.KeepsReferrers && view.Subject is { } subject)
        {
            answer.Headers["OCI-Subject"] = subject.Digest.ToString();
        }

        return answer;
    }

    private Answer Delete(RecordedRequest request, RepositoryName repository, Reference reference)
    {
        if (content.FindManifest(repository, reference) is null)
        {
            return Answer.Error(request, 404, "MANIFEST_UNKNOWN", "manifest unknown to registry");
        }

        if (reference.Digest is { } digest)
        {
            content.Remove(repository, digest);
        }
        else
        {
            content.Untag(repository, reference.ToString());
        }

        return new Answer(request, 202);
    }

    private Answer Accepted(RecordedRequest request, Upload upload, int status) => new(request, status)
    {
        Headers = { ["Location"] = Options.Location(upload.Target), ["Range"] = RangeOf(upload) },
    };

    private static Answer Created(RecordedRequest request, Digest digest) => new(request, 201)
    {
        Headers = { ["Location"] = request.Path, ["Docker-Content-Digest"] = digest.ToString() },
    };

    private static string RangeOf(Upload upload) => $"0-{Math.Max(0, upload.Bytes.Length - 1)}";

    private static RepositoryName NameOf(string[] components) => RepositoryName.Parse(string.Join('/', components));

    private static Reference Parse(string text) => Reference.TryParse(text, out var reference) ? reference : throw new FormatException(text);

    /// <param name="id">The last component of its path.</param>
    /// <param name="repository">Where the blob goes.</param>
    /// <param name="target">Path and query.</param>
    private sealed class Upload(string id, RepositoryName repository, string target)
    {
        public string Id => id;

        public RepositoryName Repository => repository;

        public string Target => target;

        public MemoryStream Bytes { get; } = new();
    }
}
