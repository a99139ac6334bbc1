namespace Mirror.Configuration.Reading;

/// <summary>
/// A mapping of options. Reading a key declares it: its override is looked for, variables are replaced, the value is parsed, faults are
/// collected, and what <c>config show</c> and <c>config schema</c> say of it is noted. Keys that nobody asked for are unknown.
/// </summary>
internal sealed class ConfigurationSection
{
    /// <summary>Stands for an entry's name where a map's keys are declared without one.</summary>
    private const string TemplateName = "registry.example.com";

    private readonly ConfigurationDocument _document;
    private readonly FaultPlace _place;
    private readonly string _path;
    private readonly string? _overridePrefix;
    private readonly OrderedDictionary<string, YamlEntry> _entries;
    private readonly List<DeclaredKey> _keys = [];

    /// <param name="document">What all sections share.</param>
    /// <param name="place">Of the section's own key.</param>
    /// <param name="path">That key's path; empty for the root.</param>
    /// <param name="overridePrefix">How the names of variables for its keys begin; null where there are none.</param>
    /// <param name="node">What stands behind the key; null for nothing.</param>
    private ConfigurationSection(ConfigurationDocument document, FaultPlace place, string path, string? overridePrefix, YamlNode? node)
    {
        (_document, _place, _path, _overridePrefix) = (document, place, path, overridePrefix);
        _entries = EntriesOf(node, path);
    }

    /// <summary>Where relative paths start; empty to leave them as they are.</summary>
    public string Folder => _document.Folder;

    /// <summary>The keys that were asked for, in that order.</summary>
    public IReadOnlyList<DeclaredKey> Keys => _keys;

    public static ConfigurationSection Root(ConfigurationDocument document, string file, YamlNode? node) =>
        new(document, new FaultPlace(file), string.Empty, ConfigurationDocument.OverridePrefix, node);

    /// <summary>Whether the key is there, right or wrong.</summary>
    public bool Has(string key) => _entries.ContainsKey(key) || FindOverride(key) is not null;

    /// <summary>Reports a fault at the variable that overrides the key, at the key, or at the section if it has no such key.</summary>
    public void Fault(string key, string message)
    {
        var place = FindOverride(key) is { } variable ? new FaultPlace(variable)
            : _entries.TryGetValue(key, out var entry) ? entry.Place
            : _place;
        _document.Report(place, PathOf(key), message);
    }

    /// <param name="key">The key.</param>
    /// <param name="kind">What its value can be.</param>
    /// <param name="default">What holds where the key is missing.</param>
    /// <param name="description">What it is, for people.</param>
    /// <param name="hasFixedDefault">False where the default depends on other things, which the description then says.</param>
    public T Read<T>(string key, Kind<T> kind, T @default, string description, bool hasFixedDefault = true)
    {
        var given = FindTexts(key, isList: false);
        var value = given is { Texts: [var text] } && TryParse(kind, text, out var parsed) ? parsed : @default;
        Declare(key, kind, description, isList: false, hasFixedDefault ? [@default] : null, [value], given);
        return value;
    }

    /// <summary>Reads a key that may be missing.</summary>
    public T? Find<T>(string key, Kind<T> kind, string description)
        where T : class
    {
        var given = FindTexts(key, isList: false);
        var value = given is { Texts: [var text] } && TryParse(kind, text, out var parsed) ? parsed : null;
        Declare(key, kind, description, isList: false, @default: null, value is null ? null : [value], given);
        return value;
    }

    /// <summary>The same for a choice or a number.</summary>
    public T? FindValue<T>(string key, Kind<T> kind, string description)
        where T : struct
    {
        var given = FindTexts(key, isList: false);
        T? value = given is { Texts: [var text] } && TryParse(kind, text, out var parsed) ? parsed : null;
        Declare(key, kind, description, isList: false, @default: null, value is { } chosen ? [chosen] : null, given);
        return value;
    }

    /// <summary>Reads a key whose value is a list, or one value that stands for a list of one.</summary>
    public IReadOnlyList<T> ReadList<T>(string key, Kind<T> kind, IReadOnlyList<T> @default, string description, int atLeast = 0)
    {
        var given = FindTexts(key, isList: true);
        var value = @default;
        if (given is not null)
        {
            var items = new List<T>();
            foreach (var text in given.Texts)
            {
                if (TryParse(kind, text, out var item))
                {
                    items.Add(item);
                }
            }

            value = items;
            if (given.Texts.Count < atLeast && given.IsWhole)
            {
                Fault(key, "the list is empty: write at least one value, or remove the key");
            }
        }

        Declare(key, kind, description, isList: true, @default, value, given);
        return value;
    }

    /// <summary>Reads a path and makes it absolute.</summary>
    public string ReadPath(string key, string @default, string description)
    {
        var kind = Kinds.PathIn(Folder);
        return Read(key, kind, kind.Parse(@default).Value, description);
    }

    public T ReadSection<T>(string key, Func<ConfigurationSection, T> read, string description)
    {
        var section = Open(key, FindEntry(key), _overridePrefix is null ? null : OverridePrefixOf(key));
        var value = read(section);
        section.ReportUnknownKeys();
        _keys.Add(new DeclaredKey.Section(key, description, section.Keys));
        return value;
    }

    /// <summary>Reads a mapping whose keys are names. These and what is in them can not be overridden.</summary>
    public IReadOnlyList<T> ReadMap<T>(
        string key, Kind<string> nameKind, Func<string, ConfigurationSection, T> read, string description)
    {
        var values = new List<T>();
        var entries = new List<(string Name, IReadOnlyList<DeclaredKey> Keys)>();
        if (_overridePrefix is not null)
        {
            _document.FileOnly[OverridePrefixOf(key)] = PathOf(key);
        }

        var map = Open(key, FindEntry(key), overridePrefix: null);
        foreach (var (name, entry) in map._entries)
        {
            var section = map.Open(name, entry, overridePrefix: null);
            if (nameKind.Parse(name).Fault is { } fault)
            {
                _document.Report(entry.Place, map._path, $"{Printable.Quote(name)} {fault}");
            }

            values.Add(read(name, section));
            section.ReportUnknownKeys();
            entries.Add((name, section.Keys));
        }

        _keys.Add(new DeclaredKey.Map(key, description, nameKind.Schema(), KeysOf(section => read(TemplateName, section)), entries));
        return values;
    }

    /// <summary>Reads a list of mappings. What is in them can not be overridden.</summary>
    public IReadOnlyList<T> ReadSections<T>(string key, Func<ConfigurationSection, T> read, string description)
    {
        var values = new List<T>();
        var items = new List<IReadOnlyList<DeclaredKey>>();
        if (_overridePrefix is not null)
        {
            _document.FileOnly[OverridePrefixOf(key)] = PathOf(key);
        }

        foreach (var (i, item) in FindItems(key).Index())
        {
            var section = new ConfigurationSection(_document, item.Place, $"{PathOf(key)}[{i}]", overridePrefix: null, item);
            values.Add(read(section));
            section.ReportUnknownKeys();
            items.Add(section.Keys);
        }

        _keys.Add(new DeclaredKey.Sequence(key, description, KeysOf(read), items));
        return values;
    }

    public void ReportUnknownKeys()
    {
        var known = _keys.ConvertAll(k => k.Name);
        foreach (var (name, entry) in _entries.Where(e => !known.Contains(e.Key, StringComparer.Ordinal)))
        {
            var nearest = NearestName.Find(name, known);
            _document.Report(
                entry.Place,
                PathOf(name),
                nearest is not null ? $"unknown key; did you mean '{nearest}'?"
                : name.Contains(':') ? "unknown key; put a space behind the colon"
                : $"unknown key; known here are {string.Join(", ", known)}");
        }
    }

    /// <summary>With no entry at hand the keys are still to be known: one is read from nothing, with its own place to complain to.</summary>
    private IReadOnlyList<DeclaredKey> KeysOf<T>(Func<ConfigurationSection, T> read)
    {
        var nowhere = new ConfigurationDocument(string.Empty, _document.Environment);
        var template = new ConfigurationSection(nowhere, _place, string.Empty, overridePrefix: null, node: null);
        read(template);
        return template.Keys;
    }

    private IReadOnlyList<YamlNode> FindItems(string key)
    {
        switch (FindEntry(key)?.Value)
        {
            case null or YamlScalar { IsNull: true }:
                return [];
            case YamlList list:
                return list.Items;
            case var other:
                _document.Report(other.Place, PathOf(key), "this is not a list: write one item after another, each after '- '");
                return [];
        }
    }

    private void Declare<T>(
        string key,
        Kind<T> kind,
        string description,
        bool isList,
        IReadOnlyList<T>? @default,
        IReadOnlyList<T>? effective,
        GivenTexts? given) =>
        _keys.Add(new DeclaredKey.Value(
            key,
            description,
            kind.Schema,
            isList,
            @default?.Select(kind.Write).ToList(),
            effective?.Select(kind.Write).ToList(),
            given?.Origin));

    private ConfigurationSection Open(string key, YamlEntry? entry, string? overridePrefix) =>
        new(_document, entry?.Place ?? _place, PathOf(key), overridePrefix, entry?.Value);

    private YamlEntry? FindEntry(string key) => _entries.TryGetValue(key, out var entry) ? entry : null;

    private OrderedDictionary<string, YamlEntry> EntriesOf(YamlNode? node, string path)
    {
        var entries = new OrderedDictionary<string, YamlEntry>();
        if (node is null or YamlScalar { IsNull: true })
        {
            return entries;
        }

        if (node is not YamlMapping mapping)
        {
            _document.Report(node.Place, path, "this is not a mapping: write 'key: value' lines, indented");
            return entries;
        }

        foreach (var entry in mapping.Entries)
        {
            if (!entries.TryAdd(entry.Key, entry))
            {
                var first = entries[entry.Key].Place;
                _document.Report(entry.Place, PathOf(entry.Key), $"duplicate key; it is there in line {first.Line} already");
            }
        }

        return entries;
    }

    private GivenTexts? FindTexts(string key, bool isList)
    {
        if (_overridePrefix is not null)
        {
            _document.Overrides.Add(OverrideNameOf(key));
        }

        return FindOverride(key) is { } variable
                ? GivenTexts.OfOverride(variable, _document.Environment[variable], isList, PathOf(key))
            : FindEntry(key) is { } entry ? GivenTexts.OfNode(_document, entry.Value, isList, PathOf(key))
            : null;
    }

    private bool TryParse<T>(Kind<T> kind, GivenText given, out T value)
    {
        (value, var fault) = kind.Parse(given.Text);
        if (fault is null)
        {
            return true;
        }

        // Quoted as written: what a variable holds may be a secret that went astray, and so may a user name in an address.
        var shown = kind.IsSecret || given.Written.Contains('@') ? "the value" : Printable.Quote(given.Written);
        _document.Report(given.Place, given.Path, $"{shown} {fault}");
        return false;
    }

    /// <summary>Of <c>password:hunter2</c>, which YAML takes for a key for want of a space, the value stays unsaid.</summary>
    private string PathOf(string key)
    {
        var name = Printable.Of(key.IndexOf(':') is >= 0 and var colon ? key[..colon] : key);
        return _path.Length == 0 ? name : $"{_path}.{name}";
    }

    private string OverrideNameOf(string key) => _overridePrefix + key.ToUpperInvariant();

    private string OverridePrefixOf(string key) => OverrideNameOf(key) + ConfigurationDocument.OverrideSeparator;

    private string? FindOverride(string key) =>
        _overridePrefix is not null && _document.Environment.ContainsKey(OverrideNameOf(key)) ? OverrideNameOf(key) : null;
}
