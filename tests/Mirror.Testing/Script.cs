namespace Mirror.Testing;

/// <summary>Which requests a fake server answers in another way than usual.</summary>
internal sealed class Script
{
    private readonly Lock _lock = new();
    private readonly List<Rule> _rules = [];

    public void Add(Rule rule)
    {
        lock (_lock)
        {
            _rules.Add(rule);
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            _rules.Clear();
        }
    }

    /// <summary>What the first rule for this request wants that is not used up; nothing where there is none.</summary>
    public IReadOnlyList<Behaviour> Take(RecordedRequest request)
    {
        lock (_lock)
        {
            var rule = _rules.Find(rule => rule.Left > 0 && rule.Matches(request));
            if (rule is null)
            {
                return [];
            }

            rule.Left--;
            return rule.Behaviours;
        }
    }

    /// <summary>A class for its identity and its count.</summary>
    internal sealed class Rule(Func<RecordedRequest, bool> matches, int times, IReadOnlyList<Behaviour> behaviours)
    {
        public Func<RecordedRequest, bool> Matches { get; } = matches;

        public int Left { get; set; } = times;

        public IReadOnlyList<Behaviour> Behaviours { get; } = behaviours;
    }
}

/// <summary>The requests that the next <see cref="Do"/> is about.</summary>
public readonly struct MatchingRequests
{
    private readonly Script _script;
    private readonly Func<RecordedRequest, bool> _matches;
    private readonly int _times;

    internal MatchingRequests(Script script, Func<RecordedRequest, bool> matches, int times = int.MaxValue) =>
        (_script, _matches, _times) = (script, matches, times);

    /// <summary>Only so many of them; the rest goes on to the next rule, and without one is answered as usual.</summary>
    public MatchingRequests Times(int times) => new(_script, _matches, times);

    /// <summary>Answers them so. Of several rules for one request the one that was made first counts, until it is used up.</summary>
    public void Do(params IReadOnlyList<Behaviour> behaviours) => _script.Add(new Script.Rule(_matches, _times, behaviours));
}
