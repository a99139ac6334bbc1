using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Mirror.Access;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Registry;

/// <summary>Tags of a repository (distribution spec, end-8), what refers to a manifest (end-12), and the catalog, page by page.</summary>
internal sealed class ListingEndpoint(Catalog catalog)
{
    // Media types have a plus sign, which stays one.
    private static readonly ListingJson Json =
        new(new JsonSerializerOptions(ListingJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private const int DefaultPage = 100;
    private const int LargestPage = 1000;

    public static async Task TagsAsync(HttpContext http, IRepository repository, RepositoryName askedFor)
    {
        if (!TryReadPage(http.Request, out var n, out var last))
        {
            await RegistryError.PageInvalid.WriteAsync(http);
            return;
        }

        // What upstream says is remembered under it, so it is no longer than a tag.
        if (last is not null && !Tag.TryParse(last, out _))
        {
            await RegistryError.TagInvalid.WriteAsync(http, "`last` is not a tag");
            return;
        }

        if (n == 0)
        {
            await WriteAsync(http, new TagsBody(askedFor.ToString(), []), ListingJson.Default.TagsBody);
            return;
        }

        switch (await repository.ListTagsAsync(n, last, http.RequestAborted))
        {
            case RemoteAnswer<Tagged<TagPage>>.Found(var (page, stale)):
                if (stale)
                {
                    RegistryHeaders.AddStale(http.Response);
                }

                string[] names = [.. page.Items.Select(tag => tag.ToString())];
                AddLink(http, page.More, n, names);
                await WriteAsync(http, new TagsBody(askedFor.ToString(), names), ListingJson.Default.TagsBody);
                break;

            case RemoteAnswer<Tagged<TagPage>>.Failed(var failure):
                await RegistryError.WriteAsync(http, failure, RegistryError.NameUnknown);
                break;
        }
    }

    public static async Task ReferrersAsync(HttpContext http, IRepository repository, Digest subject)
    {
        // Many clients read the first page only, so it is a large one.
        if (!TryReadPage(http.Request, out var n, out var last, LargestPage))
        {
            await RegistryError.PageInvalid.WriteAsync(http);
            return;
        }

        var filter = http.Request.Query["artifactType"].ToString() is { Length: > 0 } given ? given : null;
        switch (await repository.ListReferrersAsync(subject, filter, n, last, http.RequestAborted))
        {
            case RemoteAnswer<Tagged<ReferrersPage>>.Found(var (page, stale)):
                if (stale)
                {
                    RegistryHeaders.AddStale(http.Response);
                }

                if (filter is not null)
                {
                    http.Response.Headers["OCI-Filters-Applied"] = "artifactType";
                }

                DescriptorBody[] items = [.. page.Items.Select(DescriptorBody.Of)];
                AddLink(http, page.More, n, [.. items.Select(descriptor => descriptor.Digest)]);
                await WriteAsync(http, new IndexBody(2, MediaTypes.OciIndex, items), Json.IndexBody, MediaTypes.OciIndex);
                break;

            case RemoteAnswer<Tagged<ReferrersPage>>.Failed(var failure):
                await RegistryError.WriteAsync(http, failure, RegistryError.NameUnknown);
                break;
        }
    }

    /// <summary>What is here, of one registry, or of all under names that reach it whatever the default is. Upstreams are not asked.</summary>
    public async Task CatalogAsync(HttpContext http, Visitor visitor, Upstream? only)
    {
        if (!TryReadPage(http.Request, out var n, out var last))
        {
            await RegistryError.PageInvalid.WriteAsync(http);
            return;
        }

        // One more than asked for tells whether there is another page.
        var found = catalog.List(visitor, only, n + 1, last ?? "");
        string[] names = [.. found.Take(n)];
        AddLink(http, found.Count > n, n, names);
        await WriteAsync(http, new CatalogBody(names), ListingJson.Default.CatalogBody);
    }

    private static bool TryReadPage(HttpRequest request, out int n, out string? last, int size = DefaultPage)
    {
        var text = request.Query["n"].ToString();
        last = request.Query["last"].ToString() is { Length: > 0 } given ? given : null;
        n = size;
        if (text.Length == 0)
        {
            return true;
        }

        if (!int.TryParse(text, out n) || n < 0)
        {
            return false;
        }

        n = Math.Min(n, LargestPage);
        return true;
    }

    private static void AddLink(HttpContext http, bool more, int n, string[] names)
    {
        if (more && names.Length > 0)
        {
            RegistryHeaders.AddNextPage(http, n, names[^1]);
        }
    }

    internal static async Task WriteAsync<T>(HttpContext http, T body, JsonTypeInfo<T> type, string mediaType = MediaTypes.Json)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(body, type);
        http.Response.Headers.ContentType = mediaType;
        http.Response.ContentLength = bytes.Length;
        if (HttpMethods.IsGet(http.Request.Method))
        {
            await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
        }
    }
}

internal sealed record TagsBody(string Name, IReadOnlyList<string> Tags);

internal sealed record CatalogBody(IReadOnlyList<string> Repositories);

internal sealed record IndexBody(int SchemaVersion, string MediaType, IReadOnlyList<DescriptorBody> Manifests);

internal sealed record DescriptorBody(
    string MediaType, string Digest, long Size, string? ArtifactType, IReadOnlyDictionary<string, string>? Annotations)
{
    public static DescriptorBody Of(Descriptor descriptor) => new(
        descriptor.MediaType,
        descriptor.Digest.ToString(),
        descriptor.Size,
        descriptor.ArtifactType,
        descriptor.Annotations.Count > 0 ? descriptor.Annotations : null);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TagsBody))]
[JsonSerializable(typeof(CatalogBody))]
[JsonSerializable(typeof(IndexBody))]
internal sealed partial class ListingJson : JsonSerializerContext;
