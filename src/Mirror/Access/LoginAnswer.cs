namespace Mirror.Access;

/// <summary>What comes of a name and a password.</summary>
public abstract record LoginAnswer
{
    private LoginAnswer()
    {
    }

    /// <summary>They are the user's.</summary>
    public sealed record Right : LoginAnswer
    {
        /// <summary>Whether that had been checked a short time ago, and was not now.</summary>
        public bool WasKnown { get; init; }
    }

    /// <summary>There is no such user, or it has another password: which of both is for nobody to know.</summary>
    public sealed record Wrong : LoginAnswer;

    /// <summary>Nothing was checked: too many were wrong that came from the same address.</summary>
    public sealed record TooMany(TimeSpan RetryAfter) : LoginAnswer;
}
