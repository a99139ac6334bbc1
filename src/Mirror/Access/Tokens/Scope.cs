using Mirror.Configuration;

namespace Mirror.Access.Tokens;

/// <summary>One thing that a token is for, in the grammar of CNCF Distribution: <c>type(class):name:actions</c>.</summary>
public abstract record Scope
{
    /// <summary>More are not looked at, in one request or token.</summary>
    public const int MaxCount = 100;

    /// <summary>A name of the specification's has 255 characters, with a host before it.</summary>
    private const int MaxNameLength = 512;

    private const string RepositoryType = "repository";
    private const string RegistryType = "registry";
    private const string CatalogName = "catalog";
    private const string Everything = "*";

    /// <summary>What <c>docker search</c> asks for, of whom a refresh token is kept.</summary>
    private const string SearchAction = "search";

    private static readonly (string Action, Rights Right)[] Actions = [("pull", Rights.Pull), ("push", Rights.Push), ("delete", Rights.Delete)];

    private Scope()
    {
    }

    /// <param name="Name">As the client calls it. Up to one colon, that of a host's port, can be in it.</param>
    /// <param name="Class">What the client says of its content, such as <c>plugin</c>; it decides nothing.</param>
    /// <param name="Rights">At least one.</param>
    public sealed record Repository(string Name, string? Class, Rights Rights) : Scope
    {
        public override string ToString() => $"{RepositoryType}{(Class is null ? "" : $"({Class})")}:{Name}:{string.Join(',', ActionsOf(Rights))}";
    }

    /// <summary>The list of all repositories.</summary>
    public sealed record Catalog : Scope
    {
        public override string ToString() => $"{RegistryType}:{CatalogName}:{Everything}";
    }

    /// <summary>Reads what one or more parameters say, each a list with blanks between. What is not known is left out.</summary>
    public static IReadOnlyList<Scope> ReadAll(IEnumerable<string?> parameters) =>
    [
        .. parameters
            .SelectMany(parameter => (parameter ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Take(MaxCount)
            .Select(Find)
            .OfType<Scope>()
            .Distinct(),
    ];

    /// <summary>The scope that a text says; null where it is none that is known here.</summary>
    public static Scope? Find(string text)
    {
        // A name may hold a colon of its own: the first and the last are the grammar's.
        var (first, last) = (text.IndexOf(':', StringComparison.Ordinal), text.LastIndexOf(':'));
        if (first <= 0 || last == first)
        {
            return null;
        }

        var type = text[..first];
        string? scopeClass = null;
        if (type.IndexOf('(', StringComparison.Ordinal) is > 0 and var bracket && type[^1] == ')')
        {
            (type, scopeClass) = (type[..bracket], type[(bracket + 1)..^1]);
        }

        return Find(type, scopeClass, text[(first + 1)..last], text[(last + 1)..].Split(','));
    }

    /// <summary>The scope that the parts of a token's <c>access</c> say; null where it is none that is known here.</summary>
    public static Scope? Find(string? type, string? scopeClass, string? name, IReadOnlyCollection<string?> actions)
    {
        var rights = Actions.Where(action => actions.Contains(action.Action) || actions.Contains(Everything))
            .Aggregate(Rights.None, (all, action) => all | action.Right);
        return (type, name) switch
        {
            (RegistryType, CatalogName) when actions.Contains(Everything) || actions.Contains(SearchAction) => new Catalog(),
            (RepositoryType, { } repository) when rights != Rights.None && IsName(repository) =>
                new Repository(repository, string.IsNullOrEmpty(scopeClass) || !IsWord(scopeClass) ? null : scopeClass, rights),
            _ => null,
        };
    }

    /// <summary>The parts that a token's <c>access</c> has of it.</summary>
    internal AccessEntry ToEntry() => this switch
    {
        Repository repository => new AccessEntry(RepositoryType, repository.Class, repository.Name, ActionsOf(repository.Rights)),
        Catalog => new AccessEntry(RegistryType, null, CatalogName, [Everything]),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static IReadOnlyList<string> ActionsOf(Rights rights) =>
        [.. Actions.Where(action => rights.HasFlag(action.Right)).Select(action => action.Action)];

    /// <summary>A name that is none is nobody's, and grants nothing; it only must not break what it is written into.</summary>
    private static bool IsName(string name) =>
        name.Length is > 0 and <= MaxNameLength && name.Count(':') <= 1
        && name.All(c => c is > ' ' and < '\x7f' and not '"' and not '\\' and not ',');

    private static bool IsWord(string text) => text.Length <= MaxNameLength && text.All(char.IsAsciiLetterOrDigit);
}
