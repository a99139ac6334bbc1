using System.Text.Json.Nodes;

namespace Mirror.Configuration.Reading;

/// <summary>A key that was asked for while reading: all that <c>config show</c> and <c>config schema</c> know.</summary>
internal abstract record DeclaredKey(string Name, string Description)
{
    /// <param name="Name">The key.</param>
    /// <param name="Description">What it is, for people.</param>
    /// <param name="Schema">Of one value.</param>
    /// <param name="IsList">Whether a list may stand for the one value.</param>
    /// <param name="Default">What holds where the key is missing; null where that is nothing or depends on other things.</param>
    /// <param name="Effective">The values that hold, fit to be shown; null for none.</param>
    /// <param name="Origin">The environment variables that these come from; null for none.</param>
    public sealed record Value(
        string Name,
        string Description,
        Func<JsonObject> Schema,
        bool IsList,
        IReadOnlyList<string>? Default,
        IReadOnlyList<string>? Effective,
        string? Origin) : DeclaredKey(Name, Description);

    public sealed record Section(string Name, string Description, IReadOnlyList<DeclaredKey> Keys) : DeclaredKey(Name, Description);

    /// <param name="Name">The key.</param>
    /// <param name="Description">What it is, for people.</param>
    /// <param name="Template">The keys that every item may have.</param>
    /// <param name="Items">The items that there are.</param>
    public sealed record Sequence(
        string Name, string Description, IReadOnlyList<DeclaredKey> Template, IReadOnlyList<IReadOnlyList<DeclaredKey>> Items)
        : DeclaredKey(Name, Description);

    /// <param name="Name">The key.</param>
    /// <param name="Description">What it is, for people.</param>
    /// <param name="NameSchema">Of the entries' names.</param>
    /// <param name="Template">The keys that every entry may have.</param>
    /// <param name="Entries">The entries that there are.</param>
    public sealed record Map(
        string Name,
        string Description,
        JsonObject NameSchema,
        IReadOnlyList<DeclaredKey> Template,
        IReadOnlyList<(string Name, IReadOnlyList<DeclaredKey> Keys)> Entries) : DeclaredKey(Name, Description);
}
