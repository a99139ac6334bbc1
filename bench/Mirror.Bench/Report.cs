using System.Text;

namespace Mirror.Bench;

/// <param name="Name">What is measured.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Format">How they are written.</param>
/// <param name="LessIsBetter">Times and memory, not speeds.</param>
/// <param name="Goal">For Mirror.</param>
internal sealed record Row(string Name, string Unit, string Format, bool LessIsBetter, string Goal = "");

/// <summary>Collects one value for each row, peer and round, and prints medians and ratios.</summary>
internal sealed class Report
{
    public const string Mirror = "Mirror";
    public const string Registry = "docker-registry";
    public const string Nginx = "nginx";

    private readonly List<Row> _rows = [];
    private readonly Dictionary<(Row Row, string Peer), List<double>> _values = [];

    public void Add(Row row, string peer, double value)
    {
        if (!_rows.Contains(row))
        {
            _rows.Add(row);
        }

        if (!_values.TryGetValue((row, peer), out var values))
        {
            _values[(row, peer)] = values = [];
        }

        values.Add(value);
    }

    /// <summary>Drops what has been measured so far.</summary>
    public void Clear()
    {
        _rows.Clear();
        _values.Clear();
    }

    /// <summary>A Markdown table.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine($"| measurement | unit | {Mirror} | {Registry} | {Nginx} | × {Registry} | × {Nginx} | goal |");
        text.AppendLine("|---|---|---|---|---|---|---|---|");
        foreach (var row in _rows)
        {
            text.AppendLine(
                $"| {row.Name} | {row.Unit} | {Value(row, Mirror)} | {Value(row, Registry)} | {Value(row, Nginx)} "
                + $"| {Ratio(row, Registry)} | {Ratio(row, Nginx)} | {row.Goal} |");
        }

        return text.ToString();
    }

    private string Value(Row row, string peer) => _values.TryGetValue((row, peer), out var values) ? Median(values).ToString(row.Format) : "–";

    /// <summary>How many times better Mirror is: each round has its own ratio, because the machine is not the same in each.</summary>
    private string Ratio(Row row, string peer)
    {
        if (!_values.TryGetValue((row, peer), out var theirs) || !_values.TryGetValue((row, Mirror), out var ours))
        {
            return "–";
        }

        var ratios = ours.Zip(theirs, (our, their) => row.LessIsBetter ? their / our : our / their).ToList();
        return ratios.Count == 1 ? $"**{ratios[0]:0.00}**" : $"**{Median(ratios):0.00}** ({ratios.Min():0.00}–{ratios.Max():0.00})";
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}
