using Mirror.Access;
using Mirror.Caching;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>
/// The names of the repositories that are here and may be seen, in the order of their bytes. The names of one registry stand together, for all begin
/// with its own name and a slash; so registries are read one after the other, and only our own repositories come between them. However many there
/// are, a page costs what is on it, and what is passed over because it may not be seen or has no tags.
/// </summary>
/// <param name="metadata">Knows the repositories.</param>
/// <param name="access">Who may see which.</param>
/// <param name="registries">The names of all that may be pulled through; what is here of others is not shown.</param>
internal sealed class Catalog(Metadata metadata, ReadAccess access, IEnumerable<string> registries)
{
    /// <summary>So many more are read at once where some of the first may not be seen.</summary>
    private const int Batch = 100;

    private readonly string[] _registries = [.. registries.OrderBy(name => $"{name}/", StringComparer.Ordinal)];

    /// <summary>At most <paramref name="n"/> names that are behind <paramref name="last"/>.</summary>
    /// <param name="visitor">Who may see them.</param>
    /// <param name="only">Only this registry's, as it calls them; null for all, under names that reach them whatever the default is.</param>
    /// <param name="n">How many.</param>
    /// <param name="last">The last name of the page before; empty for the first page.</param>
    public IReadOnlyList<string> List(Visitor visitor, Upstream? only, int n, string last) => Find(visitor, only, text: "", n, last);

    /// <summary>The same, of those that contain a text. All names are looked at until there are enough.</summary>
    /// <param name="visitor">Who may see them.</param>
    /// <param name="only">Only this registry's, as it calls them; null for all.</param>
    /// <param name="text">In lower case, as names are.</param>
    /// <param name="n">How many.</param>
    public IReadOnlyList<string> Find(Visitor visitor, Upstream? only, string text, int n) => Find(visitor, only, text, n, last: "");

    private IReadOnlyList<string> Find(Visitor visitor, Upstream? only, string text, int n, string last)
    {
        if (only is not null)
        {
            return [.. Found(Read(visitor, only.Name, prefix: "", n, last))];
        }

        var own = Found(Read(visitor, RepositoryKey.OwnRegistry, prefix: "", n, last));
        var others = Found(_registries.SelectMany(name => Read(visitor, name, $"{name}/", n, last)));
        return [.. own.Concat(others).Distinct().Order(StringComparer.Ordinal).Take(n)];

        IEnumerable<string> Found(IEnumerable<string> names) => names.Where(name => name.Contains(text, StringComparison.Ordinal)).Take(n);
    }

    private IEnumerable<string> Read(Visitor visitor, string registry, string prefix, int n, string last)
    {
        if (FindStart(prefix, last) is not { } behind)
        {
            yield break;
        }

        IReadOnlyList<CatalogEntry> some;
        for (var wanted = n; wanted > 0; wanted = some.Count == wanted ? Batch : 0)
        {
            some = metadata.ListRepositories(registry, wanted, behind);
            foreach (var entry in some.Where(entry => access.MaySee(visitor, entry)))
            {
                yield return $"{prefix}{entry.Key.Name}";
            }

            behind = some.Count > 0 ? some[^1].Key.Name.ToString() : behind;
        }
    }

    /// <summary>Behind which name of its own a registry's part of the list goes on; null where all of that is before <paramref name="last"/>.</summary>
    private static string? FindStart(string prefix, string last) =>
        last.StartsWith(prefix, StringComparison.Ordinal) ? last[prefix.Length..]
        : string.CompareOrdinal(last, prefix) < 0 ? ""
        : null;
}
