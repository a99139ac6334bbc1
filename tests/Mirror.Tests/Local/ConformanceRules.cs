namespace Mirror.Tests.Local;

/// <summary>A rule of the distribution spec: some requests, one after the other, and what has to be answered.</summary>
internal sealed record Rule(string Name, params IReadOnlyList<Line> Lines)
{
    public bool Mentions(string text) => Lines.Any(line => line.Target.StartsWith(text, StringComparison.Ordinal));
}

/// <summary>A request and its answer.</summary>
/// <param name="Request">Method and target.</param>
/// <param name="Status">Of the answer.</param>
/// <param name="Error">The code in the answer's body, where it is an error.</param>
internal sealed record Line(string Request, int Status, string? Error = null)
{
    public string Method => Request.Split(' ')[0];

    public string Target => Request.Split(' ')[1];

    /// <summary>The request's: text, or a brace.</summary>
    public string? Body { get; init; }

    /// <summary>The request's, beside the usual.</summary>
    public IReadOnlyList<string> With { get; init; } = [];

    /// <summary>A manifest's, which is most of the types that are sent.</summary>
    public string? As { get; init; }

    public IEnumerable<string> RequestHeaders => As is null ? With : With.Append($"Content-Type: {As}");

    /// <summary>That the answer has to have; <c>none</c> where it has to lack one.</summary>
    public IReadOnlyList<string> AnswerHeaders { get; init; } = [];

    /// <summary>That the answer has to have, exactly.</summary>
    public string? AnswerBody { get; init; }
}

/// <summary>The table. Names begin with the endpoint's number in the spec.</summary>
internal static class ConformanceRules
{
    private const string Image = "application/vnd.oci.image.manifest.v1+json";
    private const string Index = "application/vnd.oci.image.index.v1+json";
    private const string Octets = "application/octet-stream";

    private static readonly string TooManyTags = string.Join('&', Enumerable.Range(0, 101).Select(number => $"tag=t{number}"));

    private static readonly List<Rule> Pull =
    [
        new("end-1: the API is there",
            new Line("GET /v2/", 200) { AnswerHeaders = ["Docker-Distribution-API-Version: registry/2.0"] }),
        new("end-2: a blob",
            new Line("GET /v2/{name}/blobs/{layer}", 200)
            {
                AnswerHeaders = ["Content-Length: {layer:size}", "Docker-Content-Digest: {layer}", $"Content-Type: {Octets}"],
                AnswerBody = "{layer}",
            },
            new Line("HEAD /v2/{name}/blobs/{layer}", 200)
            {
                AnswerHeaders = ["Content-Length: {layer:size}", "Docker-Content-Digest: {layer}"],
            }),
        new("end-2: the empty blob",
            new Line("GET /v2/{name}/blobs/{empty}", 200)
            {
                AnswerHeaders = ["Content-Length: 0", "Docker-Content-Digest: {empty}"], AnswerBody = "{empty}",
            },
            new Line("HEAD /v2/{name}/blobs/{empty}", 200) { AnswerHeaders = ["Content-Length: 0"] }),
        new("end-2: a blob that is not there",
            new Line("GET /v2/{name}/blobs/{unknown}", 404, "BLOB_UNKNOWN"),
            new Line("HEAD /v2/{name}/blobs/{unknown}", 404)),
        new("end-2: a blob of a repository that is not there",
            new Line("GET /v2/{nothing}/blobs/{layer}", 404, "BLOB_UNKNOWN")),
        new("end-2: a blob that another repository has",
            new Line("GET /v2/{name}/blobs/{theirs}", 404, "BLOB_UNKNOWN")),
        new("end-2: what is no digest",
            new Line("GET /v2/{name}/blobs/sha256:baddigeststring", 400, "DIGEST_INVALID"),
            new Line("GET /v2/{name}/blobs/latest", 400, "DIGEST_INVALID"),
            new Line("GET /v2/{name}/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID")),
        new("end-2: a part of a blob",
            new Line("GET /v2/{name}/blobs/{layer}", 206)
            {
                With = ["Range: bytes=500-799"], AnswerHeaders = ["Content-Range: bytes 500-799/1000", "Content-Length: 300"],
                AnswerBody = "{layer:500-799}",
            },
            new Line("GET /v2/{name}/blobs/{layer}", 206)
            {
                With = ["Range: bytes=500-"], AnswerHeaders = ["Content-Range: bytes 500-999/1000"], AnswerBody = "{layer:500-999}",
            },
            new Line("GET /v2/{name}/blobs/{layer}", 206)
            {
                With = ["Range: bytes=-500"], AnswerHeaders = ["Content-Range: bytes 500-999/1000"], AnswerBody = "{layer:500-999}",
            },
            new Line("GET /v2/{name}/blobs/{layer}", 206)
            {
                With = ["Range: bytes=900-5000"], AnswerHeaders = ["Content-Range: bytes 900-999/1000"], AnswerBody = "{layer:900-999}",
            }),
        new("end-2: a part that is none",
            new Line("GET /v2/{name}/blobs/{layer}", 416, "RANGE_INVALID")
            {
                With = ["Range: bytes=500-0"], AnswerHeaders = ["Content-Range: bytes */1000"],
            },
            new Line("GET /v2/{name}/blobs/{layer}", 416, "RANGE_INVALID")
            {
                With = ["Range: bytes=5000-10000"], AnswerHeaders = ["Content-Range: bytes */1000"],
            }),
        new("end-2: a blob that the client has",
            new Line("GET /v2/{name}/blobs/{layer}", 304) { With = ["If-None-Match: \"{layer}\""] }),
        new("end-3: a manifest by tag",
            new Line("GET /v2/{name}/manifests/1.0", 200)
            {
                AnswerHeaders = [$"Content-Type: {Image}", "Content-Length: {image:size}", "Docker-Content-Digest: {image}"],
                AnswerBody = "{image}",
            },
            new Line("HEAD /v2/{name}/manifests/1.0", 200)
            {
                AnswerHeaders = [$"Content-Type: {Image}", "Content-Length: {image:size}", "Docker-Content-Digest: {image}"],
            }),
        new("end-3: a manifest by digest",
            new Line("GET /v2/{name}/manifests/{image}", 200)
            {
                AnswerHeaders = [$"Content-Type: {Image}", "Docker-Content-Digest: {image}"], AnswerBody = "{image}",
            },
            new Line("HEAD /v2/{name}/manifests/{image}", 200)
            {
                AnswerHeaders = [$"Content-Type: {Image}", "Content-Length: {image:size}", "Docker-Content-Digest: {image}"],
            }),
        new("end-3: a manifest as it is, whatever the client accepts",
            new Line("GET /v2/{name}/manifests/1.0", 200)
            {
                With = ["Accept: text/html"], AnswerHeaders = [$"Content-Type: {Image}"], AnswerBody = "{image}",
            }),
        new("end-3: a manifest that is not there",
            new Line("GET /v2/{name}/manifests/2.0", 404, "MANIFEST_UNKNOWN"),
            new Line("HEAD /v2/{name}/manifests/2.0", 404),
            new Line("GET /v2/{name}/manifests/{unknown}", 404, "MANIFEST_UNKNOWN"),
            new Line("HEAD /v2/{name}/manifests/{unknown}", 404),
            new Line("GET /v2/{nothing}/manifests/1.0", 404, "MANIFEST_UNKNOWN")),
        new("end-3: a blob is no manifest",
            new Line("GET /v2/{name}/manifests/{layer}", 404, "MANIFEST_UNKNOWN"),
            new Line("HEAD /v2/{name}/manifests/{layer}", 404)),
        new("end-3: what is no digest and no tag",
            new Line("GET /v2/{name}/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID"),
            new Line("GET /v2/{name}/manifests/.hidden", 400, "TAG_INVALID"),
            new Line("GET /v2/{name}/manifests/{longTag}", 400, "TAG_INVALID")),
        new("end-3: what is no name",
            new Line("GET /v2/{name}/Upper/manifests/1.0", 400, "NAME_INVALID"),
            new Line("GET /v2/{name}//manifests/1.0", 400, "NAME_INVALID"),
            new Line("GET /v2/{name}/a..b/manifests/1.0", 400, "NAME_INVALID"),
            new Line("GET /v2/{longName}/manifests/1.0", 404, "MANIFEST_UNKNOWN"),
            new Line("GET /v2/{longName}n/manifests/1.0", 400, "NAME_INVALID")),
    ];

    private static readonly List<Rule> PushBlobs =
    [
        new("end-4a: an upload begins",
            new Line("POST /v2/{name}/blobs/uploads/", 202) { AnswerHeaders = ["Range: 0-0", "Content-Length: 0"] },
            new Line("POST /v2/{name}/blobs/uploads", 202)),
        new("end-4b: a blob in one request",
            new Line("POST /v2/{name}/blobs/uploads/?digest={blob}", 201)
            {
                Body = "{blob}", With = [$"Content-Type: {Octets}"],
                AnswerHeaders = ["Location: /v2/{name}/blobs/{blob}", "Docker-Content-Digest: {blob}"],
            },
            new Line("GET /v2/{name}/blobs/{blob}", 200) { AnswerBody = "{blob}" }),
        new("end-4b: the empty blob in one request",
            new Line("POST /v2/{other}/blobs/uploads/?digest={empty}", 201) { Body = "" },
            new Line("GET /v2/{other}/blobs/{empty}", 200) { AnswerBody = "" }),
        new("end-4b: a blob in one request, sha512",
            new Line("POST /v2/{name}/blobs/uploads/?digest={blob:sha512}", 201)
            {
                Body = "{blob}", AnswerHeaders = ["Location: /v2/{name}/blobs/{blob:sha512}", "Docker-Content-Digest: {blob:sha512}"],
            },
            new Line("GET /v2/{name}/blobs/{blob:sha512}", 200)
            {
                AnswerHeaders = ["Docker-Content-Digest: {blob:sha512}"], AnswerBody = "{blob}",
            },
            new Line("HEAD /v2/{name}/blobs/{blob:sha512}", 200)
            {
                AnswerHeaders = ["Docker-Content-Digest: {blob:sha512}", "Content-Length: 5000"],
            }),
        new("end-4b: not what its digest says",
            new Line("POST /v2/{name}/blobs/uploads/?digest={unknown}", 400, "DIGEST_INVALID") { Body = "{blob}" },
            new Line("POST /v2/{name}/blobs/uploads/?digest=sha256:baddigeststring", 400, "DIGEST_INVALID") { Body = "{blob}" },
            new Line("POST /v2/{name}/blobs/uploads/?digest=md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID")
            {
                Body = "{blob}",
            },
            new Line("GET /v2/{name}/blobs/{unknown}", 404, "BLOB_UNKNOWN"),
            new Line("GET /v2/{name}/blobs/{blob}", 404, "BLOB_UNKNOWN")),
        new("end-4c: the upload's algorithm is said",
            new Line("POST /v2/{name}/blobs/uploads/?digest-algorithm=sha512", 202),
            new Line("POST /v2/{name}/blobs/uploads/?digest-algorithm=sha256", 202),
            new Line("POST /v2/{name}/blobs/uploads/?digest-algorithm=md5", 400, "DIGEST_INVALID")),
        new("end-5, end-6: a blob in two requests",
            new Line("PUT {begun}?digest={blob}", 201)
            {
                Body = "{blob}", AnswerHeaders = ["Location: /v2/{name}/blobs/{blob}", "Docker-Content-Digest: {blob}"],
            },
            new Line("GET /v2/{name}/blobs/{blob}", 200) { AnswerBody = "{blob}" },
            new Line("GET {begun}", 404, "BLOB_UPLOAD_UNKNOWN")),
        new("end-5, end-6: a blob in two requests, sha512 that nobody had said",
            new Line("PUT {begun}?digest={blob:sha512}", 201)
            {
                Body = "{blob}", AnswerHeaders = ["Location: /v2/{name}/blobs/{blob:sha512}", "Docker-Content-Digest: {blob:sha512}"],
            },
            new Line("GET /v2/{name}/blobs/{blob:sha512}", 200) { AnswerBody = "{blob}" }),
        new("end-5, end-6: a blob in chunks, the last one with an empty PUT",
            new Line("PATCH {begun}", 202)
            {
                Body = "{blob:0-1023}", With = ["Content-Range: 0-1023"], AnswerHeaders = ["Location: {begun}", "Range: 0-1023"],
            },
            new Line("PATCH {begun}", 202)
            {
                Body = "{blob:1024-4999}", With = ["Content-Range: 1024-4999"], AnswerHeaders = ["Location: {begun}", "Range: 0-4999"],
            },
            new Line("PUT {begun}?digest={blob}", 201) { AnswerHeaders = ["Location: /v2/{name}/blobs/{blob}"] },
            new Line("GET /v2/{name}/blobs/{blob}", 200) { AnswerBody = "{blob}" }),
        new("end-5, end-6: a blob in chunks, the last one with PUT",
            new Line("PATCH {upload}", 202)
            {
                Body = "{blob:2000-2999}", With = ["Content-Range: 2000-2999"], AnswerHeaders = ["Range: 0-2999"],
            },
            new Line("PUT {upload}?digest={blob}", 201) { Body = "{blob:3000-4999}", With = ["Content-Range: 3000-4999"] },
            new Line("GET /v2/{name}/blobs/{blob}", 200) { AnswerBody = "{blob}" }),
        new("end-5, end-6: a chunk as HTTP writes it",
            new Line("PATCH {upload}", 202)
            {
                Body = "{blob:2000-4999}", With = ["Content-Range: bytes 2000-4999/5000"], AnswerHeaders = ["Range: 0-4999"],
            }),
        new("end-5, end-6: a stream of unsaid length",
            new Line("PATCH {begun}", 202)
            {
                Body = "{blob}", With = ["Transfer-Encoding: chunked"], AnswerHeaders = ["Location: {begun}", "Range: 0-4999"],
            },
            new Line("PUT {begun}?digest={blob}", 201),
            new Line("GET /v2/{name}/blobs/{blob}", 200) { AnswerBody = "{blob}" }),
        new("end-5: a chunk before any other that is not the first",
            new Line("PATCH {begun}", 416, "BLOB_UPLOAD_INVALID")
            {
                Body = "{blob:1000-1999}", With = ["Content-Range: 1000-1999"], AnswerHeaders = ["Location: {begun}", "Range: 0-0"],
            },
            new Line("GET {begun}", 204) { AnswerHeaders = ["Location: {begun}", "Range: 0-0"] },
            new Line("PUT {begun}?digest={blob}", 201) { Body = "{blob}" }),
        new("end-5: a chunk that leaves some out",
            new Line("PATCH {upload}", 416, "BLOB_UPLOAD_INVALID")
            {
                Body = "{blob:3000-4999}", With = ["Content-Range: 3000-4999"], AnswerHeaders = ["Location: {upload}", "Range: 0-1999"],
            },
            new Line("GET {upload}", 204) { AnswerHeaders = ["Location: {upload}", "Range: 0-1999"] },
            new Line("PUT {upload}?digest={blob}", 201) { Body = "{blob:2000-4999}", With = ["Content-Range: 2000-4999"] }),
        new("end-5: a chunk that was sent before",
            new Line("PATCH {upload}", 416, "BLOB_UPLOAD_INVALID")
            {
                Body = "{blob:0-1999}", With = ["Content-Range: 0-1999"], AnswerHeaders = ["Range: 0-1999"],
            },
            new Line("GET {upload}", 204) { AnswerHeaders = ["Range: 0-1999"] }),
        new("end-5: a chunk whose Content-Range is none",
            new Line("PATCH {upload}", 416, "BLOB_UPLOAD_INVALID")
            {
                Body = "{blob:2000-2999}", With = ["Content-Range: some of it"], AnswerHeaders = ["Range: 0-1999"],
            }),
        new("end-5: a chunk that is longer than its Content-Range",
            new Line("PATCH {upload}", 400, "SIZE_INVALID") { Body = "{blob:2000-4999}", With = ["Content-Range: 2000-2999"] },
            new Line("GET {upload}", 204) { AnswerHeaders = ["Range: 0-1999"] }),
        new("end-6: a last chunk that leaves some out",
            new Line("PUT {upload}?digest={blob}", 416, "BLOB_UPLOAD_INVALID")
            {
                Body = "{blob:3000-4999}", With = ["Content-Range: 3000-4999"], AnswerHeaders = ["Range: 0-1999"],
            },
            new Line("PUT {upload}?digest={blob}", 201) { Body = "{blob:2000-4999}", With = ["Content-Range: 2000-4999"] }),
        new("end-6: not what its digest says",
            new Line("PUT {upload}?digest={blob}", 400, "DIGEST_INVALID") { Body = "{blob:2000-2999}" },
            new Line("GET /v2/{name}/blobs/{blob}", 404, "BLOB_UNKNOWN")),
        new("end-6: a digest that is none takes nothing away",
            new Line("PUT {upload}?digest=sha256:baddigeststring", 400, "DIGEST_INVALID") { Body = "{blob:2000-4999}" },
            new Line("PUT {upload}?digest=blake3:00", 400, "DIGEST_INVALID") { Body = "{blob:2000-4999}" },
            new Line("PUT {upload}", 400, "DIGEST_INVALID") { Body = "{blob:2000-4999}" },
            new Line("GET {upload}", 204) { AnswerHeaders = ["Range: 0-1999"] },
            new Line("PUT {upload}?digest={blob}", 201) { Body = "{blob:2000-4999}" }),
        new("end-13: how far an upload is",
            new Line("GET {begun}", 204) { AnswerHeaders = ["Location: {begun}", "Range: 0-0"] },
            new Line("GET {upload}", 204) { AnswerHeaders = ["Location: {upload}", "Range: 0-1999"] }),
        new("end-14: an upload is given up",
            new Line("DELETE {upload}", 204),
            new Line("GET {upload}", 404, "BLOB_UPLOAD_UNKNOWN"),
            new Line("PATCH {upload}", 404, "BLOB_UPLOAD_UNKNOWN") { Body = "{blob:2000-4999}" },
            new Line("PUT {upload}?digest={blob}", 404, "BLOB_UPLOAD_UNKNOWN") { Body = "{blob:2000-4999}" },
            new Line("DELETE {upload}", 404, "BLOB_UPLOAD_UNKNOWN")),
        new("end-5, end-6, end-13, end-14: an upload that was never begun",
            new Line("GET /v2/{name}/blobs/uploads/{noUpload}", 404, "BLOB_UPLOAD_UNKNOWN"),
            new Line("PATCH /v2/{name}/blobs/uploads/{noUpload}", 404, "BLOB_UPLOAD_UNKNOWN") { Body = "{blob}" },
            new Line("PUT /v2/{name}/blobs/uploads/{noUpload}?digest={blob}", 404, "BLOB_UPLOAD_UNKNOWN") { Body = "{blob}" },
            new Line("DELETE /v2/{name}/blobs/uploads/{noUpload}", 404, "BLOB_UPLOAD_UNKNOWN"),
            new Line("GET /v2/{name}/blobs/uploads/mine", 404, "BLOB_UPLOAD_UNKNOWN")),
        new("end-11: a blob of another repository is mounted",
            new Line("POST /v2/{name}/blobs/uploads/?mount={theirs}&from={other}", 201)
            {
                AnswerHeaders = ["Location: /v2/{name}/blobs/{theirs}", "Docker-Content-Digest: {theirs}"],
            },
            new Line("GET /v2/{name}/blobs/{theirs}", 200) { AnswerBody = "{theirs}" }),
        new("end-11: a blob is mounted from wherever it is",
            new Line("POST /v2/{name}/blobs/uploads/?mount={theirs}", 201) { AnswerHeaders = ["Location: /v2/{name}/blobs/{theirs}"] },
            new Line("GET /v2/{name}/blobs/{theirs}", 200) { AnswerBody = "{theirs}" }),
        new("end-11: what can not be mounted is uploaded",
            new Line("POST /v2/{name}/blobs/uploads/?mount={unknown}&from={other}", 202) { AnswerHeaders = ["Range: 0-0"] },
            new Line("POST /v2/{name}/blobs/uploads/?mount={theirs}&from={nothing}", 202) { AnswerHeaders = ["Range: 0-0"] },
            new Line("POST /v2/{name}/blobs/uploads/?mount={unknown}", 202) { AnswerHeaders = ["Range: 0-0"] },
            new Line("GET /v2/{name}/blobs/{theirs}", 404, "BLOB_UNKNOWN")),
    ];

    private static readonly List<Rule> PushManifests =
    [
        new("end-7a: a manifest under a tag",
            new Line("PUT /v2/{name}/manifests/new", 201)
            {
                Body = "{fresh}", As = Image,
                AnswerHeaders =
                [
                    "Location: /v2/{name}/manifests/{fresh}", "Docker-Content-Digest: {fresh}", "OCI-Subject: none", "OCI-Tag: none",
                ],
            },
            new Line("GET /v2/{name}/manifests/new", 200) { AnswerHeaders = [$"Content-Type: {Image}"], AnswerBody = "{fresh}" },
            new Line("GET /v2/{name}/manifests/{fresh}", 200) { AnswerBody = "{fresh}" }),
        new("end-7a: a tag moves",
            new Line("PUT /v2/{name}/manifests/1.0", 201) { Body = "{fresh}", As = Image },
            new Line("GET /v2/{name}/manifests/1.0", 200) { AnswerBody = "{fresh}" },
            new Line("GET /v2/{name}/manifests/{image}", 200) { AnswerBody = "{image}" }),
        new("end-7a: a manifest under its digest",
            new Line("PUT /v2/{name}/manifests/{fresh}", 201)
            {
                Body = "{fresh}", As = Image, AnswerHeaders = ["Docker-Content-Digest: {fresh}"],
            },
            new Line("GET /v2/{name}/manifests/{fresh}", 200) { AnswerBody = "{fresh}" }),
        new("end-7a: a manifest of unsaid length",
            new Line("PUT /v2/{name}/manifests/new", 201) { Body = "{fresh}", As = Image, With = ["Transfer-Encoding: chunked"] },
            new Line("GET /v2/{name}/manifests/new", 200) { AnswerBody = "{fresh}" }),
        new("end-7a: a manifest under its sha512",
            new Line("PUT /v2/{name}/manifests/{fresh:sha512}", 201)
            {
                Body = "{fresh}", As = Image,
                AnswerHeaders = ["Location: /v2/{name}/manifests/{fresh:sha512}", "Docker-Content-Digest: {fresh:sha512}"],
            },
            new Line("GET /v2/{name}/manifests/{fresh:sha512}", 200)
            {
                AnswerHeaders = ["Docker-Content-Digest: {fresh:sha512}"], AnswerBody = "{fresh}",
            },
            new Line("HEAD /v2/{name}/manifests/{fresh:sha512}", 200) { AnswerHeaders = ["Docker-Content-Digest: {fresh:sha512}"] }),
        new("end-7a: not what its digest says",
            new Line("PUT /v2/{name}/manifests/{unknown}", 400, "DIGEST_INVALID") { Body = "{fresh}", As = Image },
            new Line("PUT /v2/{name}/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID") { Body = "{fresh}", As = Image },
            new Line("GET /v2/{name}/manifests/{unknown}", 404, "MANIFEST_UNKNOWN"),
            new Line("GET /v2/{name}/manifests/{fresh}", 404, "MANIFEST_UNKNOWN")),
        new("end-7a: what is no manifest",
            new Line("PUT /v2/{name}/manifests/new", 400, "MANIFEST_INVALID") { Body = "not JSON", As = Image },
            new Line("PUT /v2/{name}/manifests/new", 400, "MANIFEST_INVALID") { Body = "", As = Image },
            new Line("PUT /v2/{name}/manifests/new", 400, "MANIFEST_INVALID") { Body = "[]", As = Image },
            new Line("PUT /v2/{name}/manifests/new", 400, "MANIFEST_INVALID") { Body = "{\"schemaVersion\": 1}", As = Image },
            new Line("GET /v2/{name}/manifests/new", 404, "MANIFEST_UNKNOWN")),
        new("end-7a: a manifest that says that it is another kind than it is sent as",
            new Line("PUT /v2/{name}/manifests/new", 400, "MANIFEST_INVALID") { Body = "{fresh}", As = Index }),
        new("end-7a: a manifest that lacks a layer",
            new Line("PUT /v2/{name}/manifests/new", 400, "MANIFEST_BLOB_UNKNOWN") { Body = "{lackingLayer}", As = Image },
            new Line("GET /v2/{name}/manifests/new", 404, "MANIFEST_UNKNOWN")),
        new("end-7a: a manifest whose layer has another size",
            new Line("PUT /v2/{name}/manifests/new", 400, "SIZE_INVALID") { Body = "{ofWrongSize}", As = Image }),
        new("end-7a: a manifest in a repository that has none of it",
            new Line("PUT /v2/{nothing}/manifests/new", 400, "MANIFEST_BLOB_UNKNOWN") { Body = "{fresh}", As = Image },
            new Line("GET /v2/{nothing}/tags/list", 404, "NAME_UNKNOWN")),
        new("end-7a: a tag that is none",
            new Line("PUT /v2/{name}/manifests/.hidden", 400, "TAG_INVALID") { Body = "{fresh}", As = Image },
            new Line("PUT /v2/{name}/manifests/{longTag}", 400, "TAG_INVALID") { Body = "{fresh}", As = Image }),
        new("end-7a: a large manifest",
            new Line("PUT /v2/{name}/manifests/new", 201) { Body = "{large}", As = Image },
            new Line("GET /v2/{name}/manifests/new", 200) { AnswerBody = "{large}" }),
        new("end-7a: the largest manifest, and a larger one",
            new Line("PUT /v2/{name}/manifests/new", 201) { Body = "{largest}", As = Image },
            new Line("PUT /v2/{name}/manifests/newer", 413, "MANIFEST_INVALID") { Body = "{tooLarge}", As = Image },
            new Line("PUT /v2/{name}/manifests/newer", 413, "MANIFEST_INVALID")
            {
                Body = "{tooLarge}", As = Image, With = ["Transfer-Encoding: chunked"],
            }),
        Accepted("an artifact", "{artifact}"),
        Accepted("an image without layers", "{noLayers}"),
        Accepted("an image with a layer that no registry has", "{foreignLayer}"),
        Accepted("an image with the empty blob as its layer", "{emptyLayer}"),
        Accepted("an image with its config inside", "{withData}"),
        Accepted("an image that says more than the spec", "{withMore}"),
        Accepted("an index", "{index}", Index),
        Accepted("an index that lacks children", "{sparseIndex}", Index),
        new("end-7a: an index that lies about a child",
            new Line("PUT /v2/{name}/manifests/new", 400, "SIZE_INVALID") { Body = "{indexOfWrongSize}", As = Index }),
        new("end-7a: an image with a subject",
            new Line("PUT /v2/{name}/manifests/new", 201) { Body = "{ofSubject}", As = Image, AnswerHeaders = ["OCI-Subject: {image}"] }),
        new("end-7a: an image whose subject is not there",
            new Line("PUT /v2/{name}/manifests/new", 201)
            {
                Body = "{ofMissingSubject}", As = Image, AnswerHeaders = ["OCI-Subject: {missingSubject}"],
            },
            new Line("GET /v2/{name}/referrers/{missingSubject}", 200)
            {
                AnswerBody = Referrers(("{ofMissingSubject}", "{ofMissingSubject:size}", "application/vnd.oci.image.config.v1+json")),
            }),
        new("end-7a: an index with a subject",
            new Line("PUT /v2/{name}/manifests/new", 201)
            {
                Body = "{indexOfSubject}", As = Index, AnswerHeaders = ["OCI-Subject: {image}"],
            }),
        new("end-7b: several tags with one manifest",
            new Line("PUT /v2/{name}/manifests/{fresh}?tag=a&tag=b", 201)
            {
                Body = "{fresh}", As = Image, AnswerHeaders = ["OCI-Tag: a,b", "Docker-Content-Digest: {fresh}"],
            },
            new Line("GET /v2/{name}/manifests/a", 200) { AnswerBody = "{fresh}" },
            new Line("GET /v2/{name}/manifests/b", 200) { AnswerBody = "{fresh}" }),
        new("end-7b: a tag parameter that is no tag",
            new Line("PUT /v2/{name}/manifests/{fresh}?tag=a&tag=.hidden", 400, "TAG_INVALID") { Body = "{fresh}", As = Image },
            new Line("GET /v2/{name}/manifests/a", 404, "MANIFEST_UNKNOWN")),
        new("end-7b: too many tags",
            new Line($"PUT /v2/{{name}}/manifests/{{fresh}}?{TooManyTags}", 414, "TAG_INVALID")
            {
                Body = "{fresh}", As = Image,
            },
            new Line("GET /v2/{name}/manifests/t0", 404, "MANIFEST_UNKNOWN")),
    ];

    private static readonly List<Rule> Discovery =
    [
        new("end-8a: the tags in their order",
            new Line("GET /v2/{name}/tags/list", 200)
            {
                AnswerHeaders = ["Content-Type: application/json", "Link: none"],
                AnswerBody = """{"name":"{name}","tags":["1.0","latest","zoo"]}""",
            }),
        new("end-8b: the tags page by page",
            new Line("GET /v2/{name}/tags/list?n=2", 200)
            {
                AnswerHeaders = ["Link: </v2/{name}/tags/list?n=2&last=latest>; rel=\"next\""],
                AnswerBody = """{"name":"{name}","tags":["1.0","latest"]}""",
            },
            new Line("GET /v2/{name}/tags/list?n=2&last=latest", 200)
            {
                AnswerHeaders = ["Link: none"], AnswerBody = """{"name":"{name}","tags":["zoo"]}""",
            },
            new Line("GET /v2/{name}/tags/list?n=3", 200) { AnswerHeaders = ["Link: none"] },
            new Line("GET /v2/{name}/tags/list?last=between", 200) { AnswerBody = """{"name":"{name}","tags":["latest","zoo"]}""" },
            new Line("GET /v2/{name}/tags/list?last=zoo", 200) { AnswerBody = """{"name":"{name}","tags":[]}""" }),
        new("end-8b: a page of none",
            new Line("GET /v2/{name}/tags/list?n=0", 200)
            {
                AnswerHeaders = ["Link: none"], AnswerBody = """{"name":"{name}","tags":[]}""",
            }),
        new("end-8b: a page that is none",
            new Line("GET /v2/{name}/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID"),
            new Line("GET /v2/{name}/tags/list?n=some", 400, "PAGINATION_NUMBER_INVALID")),
        new("end-8a: a repository without tags",
            new Line("GET /v2/{other}/tags/list", 200) { AnswerBody = """{"name":"{other}","tags":[]}""" }),
        new("end-8a: a repository that is not there",
            new Line("GET /v2/{nothing}/tags/list", 404, "NAME_UNKNOWN")),
        new("end-12a: what refers to a manifest",
            new Line("GET /v2/{name}/referrers/{image}", 200) { AnswerHeaders = [$"Content-Type: {Index}", "OCI-Filters-Applied: none"] }),
        new("end-12b: what refers to a manifest, of one kind",
            new Line("GET /v2/{name}/referrers/{image}?artifactType=application/x.sbom", 200)
            {
                AnswerHeaders = [$"Content-Type: {Index}", "OCI-Filters-Applied: artifactType"],
                AnswerBody = Referrers(("{sbom}", "{sbom:size}", "application/x.sbom")),
            },
            new Line("GET /v2/{name}/referrers/{image}?artifactType=application/x.none", 200)
            {
                AnswerHeaders = ["OCI-Filters-Applied: artifactType"],
                AnswerBody = Referrers(),
            }),
        new("end-12a: nothing refers to it",
            new Line("GET /v2/{name}/referrers/{unknown}", 200)
            {
                AnswerHeaders = [$"Content-Type: {Index}"],
                AnswerBody = Referrers(),
            },
            new Line("GET /v2/{nothing}/referrers/{unknown}", 200) { AnswerHeaders = [$"Content-Type: {Index}"] }),
        new("end-12a: what is no digest",
            new Line("GET /v2/{name}/referrers/latest", 400, "DIGEST_INVALID")),
    ];

    private static readonly List<Rule> Management =
    [
        new("end-9: a tag is deleted",
            new Line("DELETE /v2/{name}/manifests/1.0", 202),
            new Line("HEAD /v2/{name}/manifests/1.0", 404),
            new Line("GET /v2/{name}/tags/list", 200) { AnswerBody = """{"name":"{name}","tags":["latest","zoo"]}""" },
            new Line("GET /v2/{name}/manifests/{image}", 200) { AnswerBody = "{image}" },
            new Line("DELETE /v2/{name}/manifests/1.0", 404, "MANIFEST_UNKNOWN")),
        new("end-9: a manifest is deleted, with its tags",
            new Line("DELETE /v2/{name}/manifests/{image}", 202),
            new Line("HEAD /v2/{name}/manifests/{image}", 404),
            new Line("HEAD /v2/{name}/manifests/1.0", 404),
            new Line("GET /v2/{name}/tags/list", 200) { AnswerBody = """{"name":"{name}","tags":[]}""" },
            new Line("DELETE /v2/{name}/manifests/{image}", 404, "MANIFEST_UNKNOWN")),
        new("end-9: what refers to a manifest is deleted",
            new Line("DELETE /v2/{name}/manifests/{sbom}", 202),
            new Line("GET /v2/{name}/referrers/{image}?artifactType=application/x.sbom", 200)
            {
                AnswerBody = Referrers(),
            }),
        new("end-9: what is not there",
            new Line("DELETE /v2/{name}/manifests/2.0", 404, "MANIFEST_UNKNOWN"),
            new Line("DELETE /v2/{name}/manifests/{unknown}", 404, "MANIFEST_UNKNOWN"),
            new Line("DELETE /v2/{nothing}/manifests/1.0", 404, "MANIFEST_UNKNOWN")),
        new("end-9: a blob is no manifest",
            new Line("DELETE /v2/{name}/manifests/{layer}", 404, "MANIFEST_UNKNOWN"),
            new Line("HEAD /v2/{name}/blobs/{layer}", 200)),
        new("end-10: a blob is deleted",
            new Line("DELETE /v2/{name}/blobs/{layer}", 202),
            new Line("HEAD /v2/{name}/blobs/{layer}", 404),
            new Line("GET /v2/{name}/blobs/{layer}", 404, "BLOB_UNKNOWN"),
            new Line("DELETE /v2/{name}/blobs/{layer}", 404, "BLOB_UNKNOWN")),
        new("end-10: what is deleted of one repository stays in the other",
            new Line("POST /v2/{name}/blobs/uploads/?mount={theirs}&from={other}", 201),
            new Line("DELETE /v2/{other}/blobs/{theirs}", 202),
            new Line("GET /v2/{other}/blobs/{theirs}", 404, "BLOB_UNKNOWN"),
            new Line("GET /v2/{name}/blobs/{theirs}", 200) { AnswerBody = "{theirs}" }),
        new("end-10: what is not there",
            new Line("DELETE /v2/{name}/blobs/{unknown}", 404, "BLOB_UNKNOWN"),
            new Line("DELETE /v2/{nothing}/blobs/{layer}", 404, "BLOB_UNKNOWN"),
            new Line("DELETE /v2/{name}/blobs/latest", 400, "DIGEST_INVALID")),
        new("end-10: a manifest is no blob that could be deleted",
            new Line("DELETE /v2/{name}/blobs/{image}", 404, "BLOB_UNKNOWN"),
            new Line("HEAD /v2/{name}/manifests/1.0", 200)),
        new("what can not be done there",
            new Line("POST /v2/{name}/manifests/1.0", 405, "UNSUPPORTED")
            {
                Body = "{fresh}", AnswerHeaders = ["Allow: GET,HEAD,PUT,DELETE"],
            },
            new Line("PUT /v2/{name}/blobs/{layer}", 405, "UNSUPPORTED") { Body = "{layer}", AnswerHeaders = ["Allow: GET,HEAD,DELETE"] },
            new Line("GET /v2/{name}/blobs/uploads/", 405, "UNSUPPORTED") { AnswerHeaders = ["Allow: POST"] },
            new Line("POST {begun}", 405, "UNSUPPORTED") { Body = "", AnswerHeaders = ["Allow: GET,PATCH,PUT,DELETE"] },
            new Line("DELETE /v2/{name}/tags/list", 405, "UNSUPPORTED") { AnswerHeaders = ["Allow: GET,HEAD"] },
            new Line("PUT /v2/{name}/referrers/{image}", 405, "UNSUPPORTED") { Body = "{}", AnswerHeaders = ["Allow: GET,HEAD"] },
            new Line("DELETE /v2/", 405, "UNSUPPORTED") { AnswerHeaders = ["Allow: GET,HEAD"] }),
        new("what is nowhere in the spec",
            new Line("GET /v2/{name}", 404, "UNSUPPORTED"),
            new Line("GET /v2/{name}/blobs/uploads/{noUpload}/more", 404, "UNSUPPORTED"),
            new Line("GET /v3/", 404, "UNSUPPORTED")),
    ];

    public static IReadOnlyList<Rule> All { get; } = [.. Pull, .. PushBlobs, .. PushManifests, .. Discovery, .. Management];

    public static int IndexOf(this IReadOnlyList<Rule> rules, Rule rule) => rules.ToList().IndexOf(rule);

    private static Rule Accepted(string what, string manifest, string type = Image) => new(
        $"end-7a: {what}",
        new Line($"PUT /v2/{{name}}/manifests/{manifest}", 201)
        {
            Body = manifest, As = type, AnswerHeaders = [$"Docker-Content-Digest: {manifest}"],
        },
        new Line($"GET /v2/{{name}}/manifests/{manifest}", 200) { AnswerHeaders = [$"Content-Type: {type}"], AnswerBody = manifest });

    private static string Referrers(params IEnumerable<(string Digest, string Size, string ArtifactType)> referrers)
    {
        var manifests = referrers.Select(of =>
            $$"""{"mediaType":"{{Image}}","digest":"{{of.Digest}}","size":{{of.Size}},"artifactType":"{{of.ArtifactType}}"}""");
        return $$"""{"schemaVersion":2,"mediaType":"{{Index}}","manifests":[{{string.Join(',', manifests)}}]}""";
    }
}
