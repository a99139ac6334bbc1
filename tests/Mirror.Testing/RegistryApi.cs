using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>The distribution specification's reading endpoints, as a registry without faults answers them.</summary>
internal sealed class RegistryApi(Content content)
{
    /// <param name="request">What was asked.</param>
    /// <param name="hasReferrers">Whether there is the referrers API.</param>
    public Answer AnswerTo(RecordedRequest request, bool hasReferrers)
    {
        var answer = Find(request, hasReferrers);
        // What tells a registry's 404 from a load balancer's.
        answer.Headers["Docker-Distribution-API-Version"] = "registry/2.0";
        return answer;
    }

    private Answer Find(RecordedRequest request, bool hasReferrers)
    {
        if (request.Method != HttpMethod.Get && request.Method != HttpMethod.Head)
        {
            return Answer.Error(request, 405, "UNSUPPORTED", "there is no such write");
        }

        return request.Path.Split('/') switch
        {
            ["", "v2"] or ["", "v2", ""] => Json(request, []), // end-1
            ["", "v2", "_catalog"] => List(request, "repositories", content.Repositories, []),
            ["", "v2", .. var name, "blobs", var digest] => Blob(request, name, digest), // end-2
            ["", "v2", .. var name, "manifests", var reference] => ManifestOf(request, name, reference), // end-3
            ["", "v2", .. var name, "tags", "list"] => Tags(request, name), // end-8
            ["", "v2", .. var name, "referrers", var digest] when hasReferrers => Referrers(request, name, digest), // end-12
            _ => Answer.Error(request, 404, "UNSUPPORTED", "there is no such endpoint"),
        };
    }

    private Answer Blob(RecordedRequest request, string[] name, string text)
    {
        if (NameOf(name) is not { } repository || !Digest.TryParse(text, out var digest)
            || content.FindBlob(repository, digest) is not { } blob)
        {
            return Answer.Error(request, 404, "BLOB_UNKNOWN", "blob unknown to registry");
        }

        var answer = Addressed(request, MediaTypes.OctetStream, blob);
        answer.HasRanges = true;
        return answer;
    }

    /// <summary>The Accept header is not looked at: most registries answer with what they have.</summary>
    private Answer ManifestOf(RecordedRequest request, string[] name, string text) =>
        NameOf(name) is { } repository && Reference.TryParse(text, out var reference)
            && content.FindManifest(repository, reference) is { } manifest
            ? Addressed(request, manifest.MediaType, manifest)
            : Answer.Error(request, 404, "MANIFEST_UNKNOWN", "manifest unknown to registry");

    private Answer Tags(RecordedRequest request, string[] name) =>
        NameOf(name) is { } repository && content.FindTags(repository) is { } tags
        ? List(request, "tags", tags, new JsonObject { ["name"] = repository.ToString() })
        : Answer.Error(request, 404, "NAME_UNKNOWN", "repository name not known to registry");

    private Answer Referrers(RecordedRequest request, string[] name, string text)
    {
        if (NameOf(name) is not { } repository || !Digest.TryParse(text, out var digest))
        {
            return Answer.Error(request, 400, "DIGEST_INVALID", "not a digest");
        }

        var filter = QueryHelpers.ParseQuery(request.Query).GetValueOrDefault("artifactType").FirstOrDefault();
        var referrers = content.Referrers(repository, digest).Where(referrer => filter is null || referrer.ArtifactType == filter);
        var answer = Json(request, new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciIndex,
            ["manifests"] = new JsonArray([.. referrers.Select(TestImage.ToJson)]),
        });
        answer.Headers["Content-Type"] = MediaTypes.OciIndex;
        if (filter is not null)
        {
            answer.Headers["OCI-Filters-Applied"] = "artifactType";
        }

        return answer;
    }

    private static Answer Addressed(RecordedRequest request, string mediaType, TestBlob blob)
    {
        var etag = $"\"{blob.Digest}\"";
        var isKnown = request.Header("If-None-Match")?.Split(',', StringSplitOptions.TrimEntries).Contains(etag) ?? false;
        var answer = isKnown ? new Answer(request, 304) : Answer.Of(request, mediaType, blob.Content);
        answer.Headers["ETag"] = etag;
        answer.Headers["Docker-Content-Digest"] = blob.Digest.ToString();
        return answer;
    }

    /// <summary>One page of a list: <c>n</c> entries behind <c>last</c>, and a link to the next page if there is one.</summary>
    private static Answer List(RecordedRequest request, string key, IReadOnlyList<string> all, JsonObject body)
    {
        var query = QueryHelpers.ParseQuery(request.Query);
        var last = query.GetValueOrDefault("last").FirstOrDefault() ?? "";
        var rest = all.Where(entry => string.CompareOrdinal(entry, last) > 0).ToList();
        var page = int.TryParse(query.GetValueOrDefault("n").FirstOrDefault(), out var n) ? [.. rest.Take(n)] : rest;
        body[key] = new JsonArray([.. page.Select(entry => (JsonNode)entry)]);
        var answer = Json(request, body);
        if (page.Count > 0 && page.Count < rest.Count)
        {
            answer.Headers["Link"] = $"<{request.Path}?n={n}&last={page[^1]}>; rel=\"next\"";
        }

        return answer;
    }

    private static Answer Json(RecordedRequest request, JsonObject body) => Answer.Of(request, MediaTypes.Json, TestImage.ToBytes(body));

    private static RepositoryName? NameOf(string[] components) =>
        RepositoryName.TryParse(string.Join('/', components), out var name) ? name : null;
}
