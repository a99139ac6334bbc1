using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Mirror.Caching;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>Tags of a repository (distribution spec, end-8) and the catalog, page by page.</summary>
internal sealed class ListingEndpoint(TagCache tags, Metadata metadata)
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1000;

    public async Task TagsAsync(HttpContext http, UpstreamRepository repository, RepositoryName askedFor)
    {
        if (!TryReadPage(http.Request, out var n, out var last))
        {
            await RegistryError.PageInvalid.WriteAsync(http);
            return;
        }

        if (n == 0)
        {
            await WriteAsync(http, new TagsBody(askedFor.ToString(), []), ListingJson.Default.TagsBody);
            return;
        }

        switch (await tags.ListAsync(repository, n, last, http.RequestAborted))
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

    /// <summary>What is here, of one registry, or of all under names that reach it whatever the default is. Upstreams are not asked.</summary>
    public async Task CatalogAsync(HttpContext http, Upstream? only)
    {
        if (!TryReadPage(http.Request, out var n, out var last))
        {
            await RegistryError.PageInvalid.WriteAsync(http);
            return;
        }

        // One more than asked for tells whether there is another page.
        var found = metadata.ListRepositories(only?.Name, n + 1, last);
        string[] names = [.. found.Take(n)];
        AddLink(http, found.Count > n, n, names);
        await WriteAsync(http, new CatalogBody(names), ListingJson.Default.CatalogBody);
    }

    private static bool TryReadPage(HttpRequest request, out int n, out string? last)
    {
        var text = request.Query["n"].ToString();
        last = request.Query["last"].ToString() is { Length: > 0 } given ? given : null;
        n = DefaultPage;
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

    private static async Task WriteAsync<T>(HttpContext http, T body, JsonTypeInfo<T> type)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(body, type);
        http.Response.Headers.ContentType = MediaTypes.Json;
        http.Response.ContentLength = bytes.Length;
        if (HttpMethods.IsGet(http.Request.Method))
        {
            await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
        }
    }
}

internal sealed record TagsBody(string Name, IReadOnlyList<string> Tags);

internal sealed record CatalogBody(IReadOnlyList<string> Repositories);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(TagsBody))]
[JsonSerializable(typeof(CatalogBody))]
internal sealed partial class ListingJson : JsonSerializerContext;
