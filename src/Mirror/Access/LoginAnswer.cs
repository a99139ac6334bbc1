namespace Mirror.Access;

/// <summary>What becomes of a name and a password.</summary>
public abstract record LoginAnswer
{
    private LoginAnswer()
    {
    }

    /// <summary>They are a user's.</summary>
    public sealed record Right : LoginAnswer;

    /// <summary>They are nobody's. Whether there is such a user is not said.</summary>
    public sealed record Wrong : LoginAnswer;

    /// <summary>Nothing was checked: too many tries came before.</summary>
    /// <param name="RetryAfter">How long to wait.</param>
    public sealed record TooMany(TimeSpan RetryAfter) : LoginAnswer;
}
