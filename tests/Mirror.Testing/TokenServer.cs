namespace Mirror.Testing;

/// <summary>Gives out a <see cref="FakeRegistry"/>'s tokens from another address, as auth.docker.io does.</summary>
public sealed class TokenServer : FakeServer
{
    private TokenServer()
    {
    }

    public Uri Realm => new(Url, TokenService.Path);

    internal TokenService Tokens { get; } = new();

    public static async Task<TokenServer> StartAsync()
    {
        var server = new TokenServer();
        await server.ListenAsync();
        return server;
    }

    private protected override Answer AnswerTo(RecordedRequest request) => request.Path == TokenService.Path
        ? Tokens.AnswerTo(request)
        : Answer.Error(request, 404, "UNSUPPORTED", "there are only tokens here");
}
