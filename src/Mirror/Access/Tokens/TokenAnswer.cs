namespace Mirror.Access.Tokens;

/// <summary>What a bearer token says.</summary>
public abstract record TokenAnswer
{
    private TokenAnswer()
    {
    }

    /// <summary>It is ours.</summary>
    /// <param name="User">Who asks; null for nobody in particular. What this user may is for the rules to say, as they are now.</param>
    /// <param name="Grant">What it is for.</param>
    public sealed record Own(string? User, Grant Grant) : TokenAnswer;

    /// <summary>It is of the issuer that the configuration trusts.</summary>
    /// <param name="Subject">Who asks, in the issuer's words; null where it does not say. Not one of our users, even of the same name.</param>
    /// <param name="Grant">What the issuer allows.</param>
    public sealed record Foreign(string? Subject, Grant Grant) : TokenAnswer;

    /// <summary>It counts for nothing.</summary>
    /// <param name="Why">For people, without quotes and without anything of the token.</param>
    public sealed record Wrong(string Why) : TokenAnswer;
}

/// <summary>A token that was found right, and how long that is so.</summary>
/// <param name="Answer">What it says.</param>
/// <param name="Until">When it ends.</param>
/// <param name="FindFault">Why it counts no more before that; null as long as it does. Asked at each use.</param>
internal sealed record CheckedToken(TokenAnswer Answer, DateTimeOffset Until, Func<string?> FindFault);
