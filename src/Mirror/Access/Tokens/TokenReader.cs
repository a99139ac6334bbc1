namespace Mirror.Access.Tokens;

public abstract record TokenAnswer
{
    public sealed record Own(string? User, Grant Grant) : TokenAnswer;

    public sealed record Foreign(string? Subject, Grant Grant) : TokenAnswer;

    public sealed record Wrong(string Why) : TokenAnswer;
}

public sealed record TokenReader(string Why)
{
    public ValueTask<TokenAnswer> ReadAsync(string token) => new(new TokenAnswer.Wrong(Why + token));
}
