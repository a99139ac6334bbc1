using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Mirror.Configuration.Reading;

/// <summary>
/// Builds the nodes of one document from the parser's events. The package's own tree stops at the first duplicate key; this one keeps it
/// for a fault beside others, and bounds what a hostile text can make of itself: its depth, and the size that its aliases come to.
/// </summary>
internal sealed class YamlTree
{
    private const int MaxDepth = 32;

    private const int MaxSize = 100_000;

    private readonly string _file;

    private readonly Parser _parser;

    private readonly Dictionary<AnchorName, YamlNode> _anchors = [];

    private YamlTree(string text, string file) => (_file, _parser) = (file, new Parser(new StringReader(text)));

    /// <summary>The document's root; null where there is none or it is no YAML, and then <paramref name="faults"/> has the fault.</summary>
    public static YamlNode? Find(string text, string file, ICollection<ConfigurationFault> faults)
    {
        if (text.IndexOf('\0') is >= 0 and var end)
        {
            // To the parser it is the end of the text; the rest would be ignored without a word.
            var before = text.AsSpan(0, end);
            var place = new FaultPlace(file, 1 + before.Count('\n'), end - before.LastIndexOf('\n'));
            faults.Add(new ConfigurationFault(place, string.Empty, "a NUL character stands here: this is not a text file"));
            return null;
        }

        YamlTree? tree = null;
        try
        {
            tree = new YamlTree(text, file);
            return tree.FindRoot();
        }
        catch (YamlFaultException e)
        {
            faults.Add(new ConfigurationFault(e.Place, string.Empty, e.Message));
        }
        catch (YamlException e)
        {
            faults.Add(new ConfigurationFault(PlaceOf(file, e.Start), string.Empty, $"not valid YAML: {Printable.Of(e.Message)}"));
        }
        catch (Exception)
        {
            // Some malformed texts surprise the parser itself; what it then says is of no use.
            faults.Add(new ConfigurationFault(
                tree?._parser.Current is { } last ? PlaceOf(file, last.End) : new FaultPlace(file),
                string.Empty,
                "not valid YAML from here on"));
        }

        return null;
    }

    private YamlNode? FindRoot()
    {
        _parser.Consume<StreamStart>();
        if (_parser.TryConsume<StreamEnd>(out _))
        {
            return null;
        }

        _parser.Consume<DocumentStart>();
        var root = ReadNode(depth: 0);
        _parser.Consume<DocumentEnd>();
        if (!_parser.TryConsume<StreamEnd>(out _))
        {
            throw new YamlFaultException(PlaceOf(_file, _parser.Current!.Start), "a second document starts here: keep one");
        }

        return root;
    }

    private YamlNode ReadNode(int depth)
    {
        var start = _parser.Consume<ParsingEvent>();
        var place = PlaceOf(_file, start.Start);
        if (depth > MaxDepth)
        {
            throw new YamlFaultException(place, $"this is nested deeper than {MaxDepth} levels");
        }

        if (start is AnchorAlias alias)
        {
            // An anchor is known once its node is complete, so that no node can contain itself.
            return _anchors.TryGetValue(alias.Value, out var anchored)
                ? anchored
                : throw new YamlFaultException(
                    place, $"there is no anchor for the alias {Printable.Quote("*" + alias.Value)}: quote text that begins with *");
        }

        YamlNode node = start switch
        {
            Scalar scalar => new YamlScalar(place, scalar.Value, IsNull(scalar)),
            SequenceStart => ReadList(place, depth),
            MappingStart => ReadMapping(place, depth),
            _ => throw new YamlFaultException(place, "a value is missing here"),
        };
        if (node.Size > MaxSize)
        {
            throw new YamlFaultException(place, $"this comes to more than {MaxSize} values, each alias counted as what it stands for");
        }

        Remember((NodeEvent)start, node);
        return node;
    }

    private YamlList ReadList(FaultPlace place, int depth)
    {
        var items = new List<YamlNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode(depth + 1));
        }

        return new YamlList(place, items);
    }

    private YamlMapping ReadMapping(FaultPlace place, int depth)
    {
        var entries = new List<YamlEntry>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var keyPlace = PlaceOf(_file, _parser.Current!.Start);
            var key = ReadNode(depth + 1) as YamlScalar ?? throw new YamlFaultException(keyPlace, "a key is a word, not a list or mapping");
            entries.Add(new YamlEntry(key.Text, keyPlace, ReadNode(depth + 1)));
        }

        return new YamlMapping(place, entries);
    }

    private void Remember(NodeEvent start, YamlNode node)
    {
        if (start.Tag is { IsEmpty: false, IsNonSpecific: false })
        {
            throw new YamlFaultException(node.Place, $"the tag {Printable.Quote(start.Tag.Value)} means nothing here: leave it out");
        }

        if (!start.Anchor.IsEmpty)
        {
            _anchors[start.Anchor] = node;
        }
    }

    private static bool IsNull(Scalar scalar) =>
        scalar is { Style: ScalarStyle.Plain, Value: "" or "~" or "null" or "Null" or "NULL" };

    private static FaultPlace PlaceOf(string file, Mark mark) => new(file, (int)mark.Line, (int)mark.Column);

    private sealed class YamlFaultException(FaultPlace place, string message) : Exception(message)
    {
        public FaultPlace Place => place;
    }
}
