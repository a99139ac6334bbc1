using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Mirror.Oci;

namespace Mirror.Registry;

/// <summary>The headers that every answer or every content has.</summary>
internal static class RegistryHeaders
{
    public static void Add(HttpResponse response) => response.Headers["Docker-Distribution-API-Version"] = "registry/2.0";

    /// <summary>Of which registry an answer speaks, good or bad, in the words of the client that asked for it with <c>ns</c>.</summary>
    public static void AddNamespace(HttpResponse response, string ns) => response.OnStarting(() =>
    {
        response.Headers["OCI-Namespace"] = ns;
        return Task.CompletedTask;
    });

    /// <summary>Has an answer lead on to paths as clients see them: at another address, or behind a prefix that a proxy has taken away.</summary>
    public static void BeginWith(string beginning, HttpResponse response) => response.OnStarting(() =>
    {
        if (response.Headers.Location.ToString() is ['/', ..] location)
        {
            response.Headers.Location = $"{beginning}{location}";
        }

        if (response.Headers.Link.ToString() is ['<', '/', ..] link)
        {
            response.Headers.Link = $"<{beginning}{link[1..]}";
        }

        return Task.CompletedTask;
    });

    /// <summary>What names content that never changes. The Content-Type is exact: a charset would break clients.</summary>
    public static void AddContent(HttpResponse response, Digest digest, string mediaType)
    {
        response.Headers.ContentType = mediaType;
        response.Headers["Docker-Content-Digest"] = digest.ToString();
        response.Headers.ETag = ETagOf(digest);
    }

    /// <summary>An old tag, because upstream could not be asked (RFC 7234, 5.5.1).</summary>
    public static void AddStale(HttpResponse response) => response.Headers.Warning = "110 - \"Response is Stale\"";

    /// <summary>Where the next page is: at the path by which the client came, with what else it asked for.</summary>
    public static void AddNextPage(HttpContext http, int n, string last)
    {
        var others = http.Request.Query.Where(pair => pair.Key is "ns" or "artifactType").SelectMany(
            pair => pair.Value.Select(value => $"&{pair.Key}={Uri.EscapeDataString(value ?? "")}"));
        http.Response.Headers.Link = $"<{http.Request.Path}?n={n}&last={Uri.EscapeDataString(last)}{string.Concat(others)}>; rel=\"next\"";
    }

    /// <summary>Whether the client already has it.</summary>
    public static bool IsNotModified(HttpRequest request, Digest digest)
    {
        var etag = ETagOf(digest);
        foreach (var line in request.Headers.IfNoneMatch)
        {
            foreach (var candidate in new StringTokenizer(line ?? "", [',']))
            {
                var trimmed = candidate.Trim();
                var strong = trimmed.StartsWith("W/", StringComparison.Ordinal) ? trimmed.Subsegment(2) : trimmed;
                if (strong == "*" || strong == etag)
                {
                    return true;
                }
            }
        }

        return false;
    }

    public static string ETagOf(Digest digest) => $"\"{digest}\"";
}
