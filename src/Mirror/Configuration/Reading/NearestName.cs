namespace Mirror.Configuration.Reading;

/// <summary>What a misspelt name was probably meant to be.</summary>
internal static class NearestName
{
    /// <summary>
    /// The one of <paramref name="known"/> that is the fewest slips of the finger away, if these are few for its length.
    /// </summary>
    public static string? Find(string name, IEnumerable<string> known) => known
        .Where(k => Math.Abs(k.Length - name.Length) <= Tolerance(k))
        .Select(k => (Name: k, Slips: Slips(name.ToUpperInvariant(), k.ToUpperInvariant())))
        .Where(k => k.Slips <= Tolerance(k.Name))
        .OrderBy(k => k.Slips)
        .Select(k => k.Name)
        .FirstOrDefault();

    private static int Tolerance(string known) => Math.Max(1, known.Length / 3);

    /// <summary>Letters missing, added, wrong, or swapped with their neighbour (the optimal string alignment distance).</summary>
    private static int Slips(string from, string to)
    {
        var slips = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
        {
            for (var j = 0; j <= to.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    slips[i, j] = i + j;
                    continue;
                }

                var replaced = slips[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                slips[i, j] = Math.Min(replaced, Math.Min(slips[i - 1, j], slips[i, j - 1]) + 1);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                {
                    slips[i, j] = Math.Min(slips[i, j], slips[i - 2, j - 2] + 1);
                }
            }
        }

        return slips[from.Length, to.Length];
    }
}
