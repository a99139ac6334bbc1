using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Mirror.Access;
using Mirror.Caching;

namespace Mirror.Registry;

/// <summary>
/// What <c>docker search HOST/term</c> asks for, in the form of Docker's first API, which is the only one with a search: repositories that
/// are here and whose names contain the term. Upstreams are not asked.
/// </summary>
internal sealed class SearchEndpoint(Catalog catalog)
{
    private const int DefaultPage = 25;
    private const int LargestPage = 100;

    /// <summary>No more are counted: who finds so many wants another term, not the last page.</summary>
    private const int MostResults = 1000;

    /// <param name="http">The request.</param>
    /// <param name="visitor">Who sees what it may pull.</param>
    /// <param name="only">The registry that the whole request is about, under whose own names its repositories are then listed.</param>
    public async Task SearchAsync(HttpContext http, Visitor visitor, Upstream? only)
    {
        var query = http.Request.Query;
        if (!TryReadNumber(query["n"].ToString(), DefaultPage, out var n) || !TryReadNumber(query["page"].ToString(), 1, out var page))
        {
            await RegistryError.PageInvalid.WriteAsync(http);
            return;
        }

        n = Math.Min(n, LargestPage);
        var term = query["q"].ToString();
        var found = catalog.Find(visitor, only, term.ToLowerInvariant(), MostResults);
        SearchResult[] results = [.. found.Skip(Math.Min(page - 1, MostResults) * n).Take(n).Select(name => new SearchResult(name))];
        await ListingEndpoint.WriteAsync(http, new SearchBody(found.Count, term, results), SearchJson.Default.SearchBody);
    }

    /// <summary>Docker sends 0 where its user has said nothing.</summary>
    private static bool TryReadNumber(string text, int usual, out int number)
    {
        number = usual;
        if (text.Length > 0 && (!int.TryParse(text, out number) || number < 0))
        {
            return false;
        }

        number = number == 0 ? usual : number;
        return true;
    }
}

internal sealed record SearchBody(int NumResults, string Query, IReadOnlyList<SearchResult> Results);

/// <summary>A name as <c>_catalog</c> has it. Nothing here has stars or a description; clients want the members all the same.</summary>
internal sealed record SearchResult(
    string Name, string Description = "", int StarCount = 0, bool IsOfficial = false, bool IsAutomated = false);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SearchBody))]
internal sealed partial class SearchJson : JsonSerializerContext;
