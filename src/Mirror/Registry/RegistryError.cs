using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Registry;

/// <summary>The errors that clients see (distribution spec, "Error codes"), and the one place that writes them.</summary>
public sealed record RegistryError(string Code, int Status, string Message)
{
    // Read by people on terminals: apostrophes stay apostrophes.
    private static readonly ErrorJson Json = new(new JsonSerializerOptions(ErrorJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static readonly RegistryError BlobUnknown = new("BLOB_UNKNOWN", 404, "blob unknown to registry");
    public static readonly RegistryError ManifestUnknown = new("MANIFEST_UNKNOWN", 404, "manifest unknown to registry");
    public static readonly RegistryError NameUnknown = new("NAME_UNKNOWN", 404, "repository name not known to registry");
    public static readonly RegistryError NameInvalid = new("NAME_INVALID", 400, "invalid repository name");
    public static readonly RegistryError TagInvalid = new("TAG_INVALID", 400, "invalid tag or digest");
    public static readonly RegistryError DigestInvalid = new("DIGEST_INVALID", 400, "provided digest is not a sha256 or sha512 digest");
    public static readonly RegistryError OtherDigest = new("DIGEST_INVALID", 400, "provided digest did not match uploaded content");
    public static readonly RegistryError PageInvalid = new("PAGINATION_NUMBER_INVALID", 400, "invalid number of results requested");
    public static readonly RegistryError RangeInvalid = new("RANGE_INVALID", 416, "requested range is not satisfiable");
    public static readonly RegistryError BlobUploadUnknown = new("BLOB_UPLOAD_UNKNOWN", 404, "blob upload unknown to registry");
    public static readonly RegistryError UploadRangeInvalid = new("BLOB_UPLOAD_INVALID", 416, "the chunk is not the upload's next");
    public static readonly RegistryError SizeInvalid = new("SIZE_INVALID", 400, "provided length did not match content length");
    public static readonly RegistryError ManifestInvalid = new("MANIFEST_INVALID", 400, "manifest invalid");
    public static readonly RegistryError ManifestTooLarge = new("MANIFEST_INVALID", 413, "manifest too large");
    public static readonly RegistryError TooManyTags = new("TAG_INVALID", 414, "too many tags");
    public static readonly RegistryError ManifestBlobUnknown = new("MANIFEST_BLOB_UNKNOWN", 400, "manifest references a manifest or blob unknown to registry");
    public static readonly RegistryError Unauthorized = new("UNAUTHORIZED", 401, "authentication required");
    public static readonly RegistryError ClientCertificate = new("DENIED", 400, "the client certificate is not accepted");
    public static readonly RegistryError Denied = new("DENIED", 403, "requested access to the resource is denied");
    public static readonly RegistryError Unsupported = new("UNSUPPORTED", 405, "the operation is unsupported");
    public static readonly RegistryError RequestInvalid = new("SIZE_INVALID", 400, "the request's body does not end as it has to");
    public static readonly RegistryError RequestTimeout = new("BLOB_UPLOAD_INVALID", 408, "the request went silent");
    public static readonly RegistryError TooManyRequests = new("TOOMANYREQUESTS", 429, "too many requests");
    public static readonly RegistryError BadGateway = new("UNAVAILABLE", 502, "the upstream registry can not be reached");
    public static readonly RegistryError GatewayTimeout = new("UNAVAILABLE", 504, "the upstream registry did not answer in time");
    public static readonly RegistryError Unavailable = new("UNAVAILABLE", 503, "the mirror can not answer now");
    public static readonly RegistryError HttpVersion = new("UNSUPPORTED", 505, "the version of HTTP is not supported");
    public static readonly RegistryError LoopDetected = new("UNAVAILABLE", 508, "the request has come through this mirror before");
    public static readonly RegistryError Unknown = new("UNKNOWN", 500, "unknown error");
    public static readonly RegistryError NotFound = new("UNSUPPORTED", 404, "there is nothing at this path; the registry's API is under /v2/");

    /// <summary>What an upstream's failure is for our client.</summary>
    /// <param name="failure">Why there is no answer.</param>
    /// <param name="missing">The error where upstream says that there is no such thing: the only way to a 404.</param>
    public static RegistryError Of(RemoteFailure failure, RegistryError missing) => failure switch
    {
        RemoteFailure.Missing => missing,
        RemoteFailure.Denied => Denied,
        RemoteFailure.Throttled => TooManyRequests,
        RemoteFailure.Unavailable { Reason: UnavailableReason.Timeout } => GatewayTimeout,
        RemoteFailure.Unavailable => BadGateway,
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>Answers with this error, in place of anything that was prepared.</summary>
    /// <param name="http">Whose response has not started.</param>
    /// <param name="detail">What a person needs to know beyond the code. In the message too: most clients show nothing else.</param>
    /// <param name="headers">What belongs to this answer beside the usual.</param>
    public async Task WriteAsync(HttpContext http, string? detail = null, params IReadOnlyList<(string Name, string Value)> headers)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new ErrorBody([new ErrorEntry(Code, detail is null ? Message : $"{Message}: {detail}", detail)]), Json.ErrorBody);
        http.Response.Clear();
        http.Response.StatusCode = Status;
        RegistryHeaders.Add(http.Response);
        foreach (var (name, value) in headers)
        {
            http.Response.Headers[name] = value;
        }

        http.Response.Headers.ContentType = MediaTypes.Json;
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
        {
            await http.Response.Body.WriteAsync(body, http.RequestAborted);
        }
    }

    /// <summary>Answers with what an upstream's failure is for our client.</summary>
    public static Task WriteAsync(HttpContext http, RemoteFailure failure, RegistryError missing)
    {
        var error = Of(failure, missing);
        return failure is RemoteFailure.Throttled { RetryAfter: { } wait }
            ? error.WriteAsync(http, failure.Why, ("Retry-After", $"{Math.Ceiling(wait.TotalSeconds)}"))
            : error.WriteAsync(http, failure.Why);
    }
}

internal sealed record ErrorBody(IReadOnlyList<ErrorEntry> Errors);

internal sealed record ErrorEntry(string Code, string Message, string? Detail);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ErrorBody))]
internal sealed partial class ErrorJson : JsonSerializerContext;
