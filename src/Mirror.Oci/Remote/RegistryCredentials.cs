namespace Mirror.Oci.Remote;

/// <summary>What a registry or its token server is shown. Its text never shows a secret.</summary>
/// <param name="Basic">For Basic authorization; null for nobody.</param>
/// <param name="IdentityToken">What its token server takes in place of a password (OAuth2's refresh token), where there is one.</param>
internal sealed record Login(BasicCredentials? Basic, string? IdentityToken)
{
    public static Login Anonymous { get; } = new(null, null);

    public override string ToString() => Basic?.ToString() ?? "anonymous";
}

/// <summary>The credentials for one registry: the configured ones, or what Docker's configuration says, which may change.</summary>
internal sealed class RegistryCredentials(RemoteRegistryOptions options, TimeProvider time)
{
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);

    private readonly SharedRequests<string, RemoteAnswer<Login>> _requests = new();
    private readonly Lock _gate = new();
    private (Login Login, DateTimeOffset UsableUntil)? _kept;

    public Task<RemoteAnswer<Login>> GetAsync(CancellationToken cancellationToken) =>
        options.DockerConfig is not { } path ? Task.FromResult<RemoteAnswer<Login>>(new Login(options.Credentials, null))
        : FindKept() is { } login ? Task.FromResult<RemoteAnswer<Login>>(login)
        : _requests.AskAsync(path, () => AskAndKeepAsync(path), cancellationToken);

    /// <summary>They were refused. Answers whether there may be others now.</summary>
    public bool Forget()
    {
        lock (_gate)
        {
            _kept = null;
        }

        return options.DockerConfig is not null;
    }

    private Login? FindKept()
    {
        lock (_gate)
        {
            return _kept is { } kept && time.GetUtcNow() < kept.UsableUntil ? kept.Login : null;
        }
    }

    private async Task<RemoteAnswer<Login>> AskAndKeepAsync(string path)
    {
        var answer = await new DockerConfig(path, options, time).FindAsync();
        if (answer is RemoteAnswer<Login>.Found(var login))
        {
            lock (_gate)
            {
                _kept = (login, time.GetUtcNow() + Life);
            }
        }

        return answer;
    }
}
