using System.Diagnostics.CodeAnalysis;

namespace Mirror.Bench;

/// <param name="Rounds">Measured rounds; one more is run first and dropped.</param>
/// <param name="Quick">Short measurements of a small blob: shows that everything works, and no more.</param>
/// <param name="Cases">What is measured.</param>
internal sealed record Arguments(int Rounds, bool Quick, IReadOnlyList<Case> Cases)
{
    public static bool TryParse(string[] args, [NotNullWhen(true)] out Arguments? arguments, [NotNullWhen(false)] out string? fault)
    {
        (arguments, fault) = (null, null);
        int? rounds = null;
        var quick = false;
        var cases = new List<Case>();
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] == "--quick")
            {
                quick = true;
            }
            else if (args[i] == "--rounds" && i + 1 < args.Length && int.TryParse(args[i + 1], out var n) && n > 0)
            {
                rounds = n;
                i++;
            }
            else if (CasesOf(args[i]) is { Count: > 0 } named)
            {
                cases.AddRange(named.Except(cases));
            }
            else
            {
                fault = $"there is no option or case {args[i]}";
                return false;
            }
        }

        arguments = new Arguments(rounds ?? (quick ? 1 : 5), quick, cases.Count == 0 ? Case.All : cases);
        return true;
    }

    /// <summary>The case of that name; else those whose names begin so.</summary>
    private static List<Case> CasesOf(string name) => Case.All.Where(@case => @case.Name == name).ToList() is { Count: > 0 } exact
        ? exact
        : [.. Case.All.Where(@case => @case.Name.StartsWith(name, StringComparison.Ordinal))];
}
