namespace Mirror.Oci.Remote;

/// <summary>The way to one registry, which everything that is asked of it shares: its sender, its connections, its bandwidth.</summary>
internal sealed class RegistryConnection : IDisposable
{
    private readonly HttpMessageInvoker _transport;
    private readonly Uri _api;

    public RegistryConnection(RemoteRegistryOptions options, TimeProvider time)
    {
        (Options, Time) = (options, time);
        _transport = Transport.Create(options);
        var credentials = new RegistryCredentials(options, time);
        var tokens = new BearerTokens(options, credentials, _transport, time);
        Sender = new RequestSender(options, _transport, new Authenticator(options, credentials, tokens), time);
        Slots = new ConnectionSlots(options.MaxConnections);
        Bandwidth = options.Bandwidth is { } bandwidth ? new Bandwidth(bandwidth, time) : null;
        _api = new Uri(options.Url.AbsoluteUri.TrimEnd('/') + "/v2/");
    }

    public RemoteRegistryOptions Options { get; }

    public TimeProvider Time { get; }

    public RequestSender Sender { get; }

    public ConnectionSlots Slots { get; }

    public Bandwidth? Bandwidth { get; }

    /// <summary>One list of referrers is changed at a time (<see cref="ReferrersTag"/>).</summary>
    public SemaphoreSlim ReferrersTurn { get; } = new(1, 1);

    public string Name => Options.Name;

    /// <summary>The address of something in the API, such as <c>library/alpine/tags/list</c>.</summary>
    public Uri UrlOf(string path) => new(_api, path);

    public RemoteRequest Pull(HttpMethod method, RepositoryName repository, string path) =>
        new(method, UrlOf($"{repository}/{path}"), $"repository:{repository}:pull");

    public RemoteRequest Push(HttpMethod method, RepositoryName repository, string path) => Push(method, repository, UrlOf($"{repository}/{path}"));

    public static RemoteRequest Push(HttpMethod method, RepositoryName repository, Uri target) =>
        new(method, target, $"repository:{repository}:pull,push") { Successes = RemoteRequest.WriteSuccesses };

    /// <summary>Registries differ on whether who removes an upload needs the right to push or to delete.</summary>
    public static RemoteRequest Delete(RepositoryName repository, Uri target) =>
        Push(HttpMethod.Delete, repository, target) with { Scope = $"repository:{repository}:pull,push,delete" };

    public RemoteFailure FailureOf(RemoteAnswer<HttpResponseMessage> answer) =>
        answer is RemoteAnswer<HttpResponseMessage>.Failed(var failure) ? failure : BadAnswer("answered 304 to a request that named nothing as known");

    public RemoteFailure.Unavailable BadAnswer(string what) => new(UnavailableReason.BadAnswer, $"{Name} {what}");

    public static Digest? FindDigest(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.ToString(), out var digest)
            ? digest
            : null;

    public void Dispose()
    {
        _transport.Dispose();
        ReferrersTurn.Dispose();
        Bandwidth?.Dispose();
    }
}
