using System.Globalization;

namespace Mirror.Sync.Jobs;

/// <summary>How many tags one run may delete: <c>10%</c> of those that the target has, though at least one, or a number.</summary>
public readonly record struct DeleteLimit
{
    private readonly int _number;
    private readonly bool _isPercent;

    private DeleteLimit(int number, bool isPercent) => (_number, _isPercent) = (number, isPercent);

    public static DeleteLimit Default { get; } = new(10, isPercent: true);

    public static bool TryParse(string text, out DeleteLimit limit)
    {
        var isPercent = text.EndsWith('%');
        var isLimit = int.TryParse(isPercent ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number > 0 && (number <= 100 || !isPercent);
        limit = isLimit ? new DeleteLimit(number, isPercent) : default;
        return isLimit;
    }

    /// <param name="existing">How many tags the target has that the job has put there.</param>
    public int Of(int existing) => _isPercent ? (int)Math.Max(1, (long)existing * _number / 100) : _number;

    public override string ToString() => _isPercent ? $"{_number}%" : $"{_number}";
}
