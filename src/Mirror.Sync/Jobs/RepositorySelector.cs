using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>A repository to be copied, with the full names that it has at either side.</summary>
public readonly record struct RepositoryPair(RepositoryName Source, RepositoryName Target);

/// <param name="Repositories">What is to be copied, in the order of its names.</param>
/// <param name="Unmatched">Patterns that no repository fits.</param>
/// <param name="Faults">Why nothing may be copied, for people to read; empty where there is no reason.</param>
public sealed record SelectedRepositories(
    IReadOnlyList<RepositoryPair> Repositories, IReadOnlyList<RepositoryFilter> Unmatched, IReadOnlyList<string> Faults);

/// <summary>
/// Which repositories a job copies, and what they are called where they go: the source's path is taken away, the target's is put before.
/// </summary>
public sealed class RepositorySelector(Endpoint from, Endpoint to, IReadOnlyList<RepositoryFilter> repositories)
{
    /// <summary>Whether names alone do not say it, so that the source has to list what it has.</summary>
    public bool NeedsCatalog => repositories.Any(filter => filter is not RepositoryFilter.Name);

    /// <summary>A repository that is named in full is selected whatever the catalog says: registries leave out what they like.</summary>
    /// <param name="catalog">Full names at the source; may be empty where <see cref="NeedsCatalog"/> is false.</param>
    public SelectedRepositories Select(IReadOnlyCollection<RepositoryName> catalog)
    {
        // Copies of copies would grow with each run, where the target is a part of the source.
        var listed = catalog.Where(name => !to.IsBelow(from) || to.FindRelative(name) is null)
            .Select(from.FindRelative).OfType<RepositoryName>().ToList();
        var names = new SortedSet<RepositoryName>(Comparer<RepositoryName>.Create((a, b) => string.CompareOrdinal($"{a}", $"{b}")));
        var unmatched = new List<RepositoryFilter>();
        foreach (var filter in repositories)
        {
            List<RepositoryName> matches =
                filter is RepositoryFilter.Name { Repository: var name } ? [name] : listed.FindAll(filter.Matches);
            names.UnionWith(matches);
            if (matches.Count == 0)
            {
                unmatched.Add(filter);
            }
        }

        var faults = new List<string>();
        var pairs = names.Select(name => FindPair(name, faults)).OfType<RepositoryPair>().Distinct().ToList();
        foreach (var clash in pairs.GroupBy(pair => pair.Target).Where(group => group.Count() > 1))
        {
            faults.Add($"{string.Join(" and ", clash.Select(pair => pair.Source))} would both be {clash.Key} at {to}");
        }

        return new SelectedRepositories(pairs, unmatched, faults);
    }

    private RepositoryPair? FindPair(RepositoryName name, List<string> faults)
    {
        if (from.FindName(name) is not { } source)
        {
            faults.Add($"{from}/{name} is longer than a repository's name may be");
            return null;
        }

        // What the source itself adds to a name, it has at the target too: alpine and library/alpine are one repository there as well.
        if ((to is Endpoint.Cache ? source : to.FindName(from.FindRelative(source) ?? name)) is not { } target)
        {
            faults.Add($"{source} would have a longer name at {to} than a repository may have");
            return null;
        }

        return new RepositoryPair(source, target);
    }
}
