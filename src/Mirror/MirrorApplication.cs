using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Access.Tokens;
using Mirror.Administration;
using Mirror.Caching;
using Mirror.Configuration;
using Mirror.Listening;
using Mirror.Local;
using Mirror.Observability;
using Mirror.Oci.Remote;
using Mirror.Registry;
using Mirror.Replication;
using Mirror.Storage;
using Mirror.Upkeep;

namespace Mirror;

/// <summary>What answers requests, put together: upstreams, caches, who may read what, the registry API and the internal one.</summary>
internal sealed class MirrorApplication : IAsyncDisposable
{
    /// <summary>What our own tokens are for. Not an address: clients may know several.</summary>
    private const string Service = "mirror";

    private readonly MirrorMetrics _metrics = new();
    private readonly List<RemoteRegistry> _remotes;
    private readonly PullThrough _cache;
    private readonly Uploads _uploads;
    private readonly StagedSweep _sweep;
    private readonly Logins? _logins;
    private readonly TokenEndpoint _tokens;
    private readonly RegistryApi _registry;
    private readonly AdministrationApi _administration;
    private readonly EventsEndpoint _events;
    private readonly PushedImages _pushed;
    private readonly HealthEndpoint _health;

    /// <param name="configuration">What holds.</param>
    /// <param name="store">Open as long as this is used.</param>
    /// <param name="loggers">Get the events.</param>
    /// <param name="time">The clock.</param>
    /// <param name="encryption">Null where clients speak plain HTTP.</param>
    public MirrorApplication(MirrorConfiguration configuration, Store store, ILoggerFactory loggers, TimeProvider time, Encryption? encryption)
    {
        var trouble = new StoreTrouble(_metrics, time, loggers.CreateLogger<StoreTrouble>());
        store.Metadata.Damage.Tell(trouble.Damaged);
        var loops = new Loops();
        // One client for each, whoever asks: what it may be asked at once, how fast and until when it is to be left alone is known there.
        var registries = configuration.Registries.Select(registry => (Configured: registry, Options: OptionsOf(registry, loops.Signature))).ToList();
        _remotes = registries.ConvertAll(registry => new RemoteRegistry(registry.Options.Remote, time));
        var reached = registries.Zip(_remotes, (registry, remote) => (registry.Configured, registry.Options, Remote: remote)).ToList();
        var pulledThrough = reached.FindAll(registry => registry.Configured.PullThrough);
        _cache = new PullThrough(pulledThrough.Select(registry => (registry.Options, registry.Remote)), store, trouble, _metrics, time, loggers);
        var doors = new Doors(
            [.. _cache.Upstreams.Zip(pulledThrough, (upstream, registry) => DoorOf(upstream, registry.Configured))],
            configuration.OwnNames,
            store.Metadata.Local.HasManifests);
        var own = new LocalRepositories(store);
        _uploads = new Uploads(store.Blobs, time);
        _sweep = new StagedSweep(_uploads, store.Blobs, time, loggers.CreateLogger<StagedSweep>());
        var address = new PublicAddress(configuration.Server.PublicUrl);
        var audit = new AuditLog(loggers.CreateLogger<AuditLog>());
        var permissions = new Permissions(configuration.Access);
        _logins = FindLogins(configuration.Access, time, loggers);
        var keys = new SigningKeys(new StoreLayout(configuration.Storage.Path), time, loggers.CreateLogger<SigningKeys>());
        keys.Check();
        var ownTokens = new OwnTokens(Service, keys, _logins, time);
        var issuer = configuration.Access.Tokens;
        var foreignTokens = issuer is null
            ? null
            : new ForeignTokens(issuer, new ForeignKeys(issuer.Keys, time, loggers.CreateLogger<ForeignKeys>()), time);
        var visitors = new Visitors(permissions, _logins, new TokenReader(ownTokens, foreignTokens, time), audit);
        _tokens = new TokenEndpoint(ownTokens, visitors.LoginAsync, Visitors.FindCertificateUser, time, loggers.CreateLogger<TokenEndpoint>());
        var access = new ReadAccess(_cache.Upstreams, _cache.PublicRepositories);
        var catalog = new Catalog(store.Metadata, access, _cache.Upstreams.Select(upstream => upstream.Name));
        var challenges = issuer?.Realm is { } realm
            ? new Challenges(_ => realm, issuer.Service, audit)
            : new Challenges(http => new Uri(address.BaseOf(http), "token"), Service, audit);
        var repositories = new RepositoryApi(
            doors,
            access,
            challenges,
            audit,
            _cache,
            store,
            own,
            new BlobEndpoint(_cache.Blobs, store.Metadata.Uses, _metrics),
            new ManifestEndpoint(store.Metadata.Uses),
            new UploadEndpoint(_uploads, own, store.Metadata.Local, time),
            new PushEndpoint(own, store.Metadata.Local, time));
        _registry = new RegistryApi(
            doors,
            loops,
            visitors,
            permissions,
            challenges,
            repositories,
            new ListingEndpoint(catalog),
            new SearchEndpoint(catalog),
            address,
            time,
            loggers.CreateLogger<RegistryApi>());
        var sides = new JobSides(
            reached.Select(registry => (registry.Remote, registry.Configured.ImmutableTags)),
            new OwnRepositories(store, own, _uploads, _cache.Blobs, doors.IsOwnAtRoot, time),
            _cache,
            store.Leases,
            time);
        Replicator = FindReplicator(configuration, sides, time, loggers);
        _pushed = new PushedImages(Replicator, time, loggers.CreateLogger<PushedImages>());
        own.Follow(_pushed.PushedHere);
        _events = new EventsEndpoint(configuration.Sync.Events, _pushed, loggers.CreateLogger<EventsEndpoint>());
        _administration = new AdministrationApi(doors, _cache, store, own, Replicator, time, loggers.CreateLogger<AdministrationApi>());
        _health = new HealthEndpoint(store.Metadata, trouble, () => encryption?.FindTrouble());
    }

    public Replicator Replicator { get; }

    /// <summary>Answers a request. The listener decides which API it is for, and nothing that the request says.</summary>
    public Task HandleAsync(HttpContext http) => http.Features.Get<AdministrationSocket>() is not null
        ? _administration.HandleAsync(http)
        : http.Request.Path.Value switch
        {
            // Some load balancers ask for nothing but the root.
            "/" or "/healthz" => HealthEndpoint.HealthAsync(http),
            "/readyz" => _health.ReadyAsync(http),
            // Before anything that has content or knows users.
            _ when http.Features.Get<RefusedClient>() is { } refused => RegistryError.ClientCertificate.WriteAsync(http, refused.Why),
            "/token" => _tokens.HandleAsync(http),
            EventsEndpoint.Path => _events.HandleAsync(http),
            _ => _registry.HandleAsync(http),
        };

    /// <summary>Waits until no command is being answered, and nothing goes on that one has started.</summary>
    public async Task WaitForCommandsAsync()
    {
        await _administration.WaitUntilIdleAsync();
        await _pushed.WaitUntilIdleAsync();
        await Replicator.WaitUntilIdleAsync();
    }

    /// <summary>Ends what is running. No request may come any more; the store must still be open.</summary>
    public async ValueTask DisposeAsync()
    {
        await Replicator.DisposeAsync();
        await _cache.DisposeAsync();
        _remotes.ForEach(remote => remote.Dispose());
        await _sweep.DisposeAsync();
        _uploads.Dispose();
        _logins?.Dispose();
        _metrics.Dispose();
    }

    /// <summary>The users are read at once: what is wrong with their file is to be known before somebody can not log in.</summary>
    private static Logins? FindLogins(AccessOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        if (options.Users is not { } path)
        {
            return null;
        }

        Bcrypt.Try();
        var users = new UsersFile(path, loggers.CreateLogger<UsersFile>());
        users.Current();
        return new Logins(users, new FailedLogins(time), time);
    }

    private static Replicator FindReplicator(MirrorConfiguration configuration, JobSides sides, TimeProvider time, ILoggerFactory loggers)
    {
        var logger = loggers.CreateLogger<Replicator>();
        var path = configuration.Storage.Path;
        return new Replicator(
            configuration.Sync.Jobs,
            path,
            () => SyncStates.Open(configuration.Sync.State, new StoreLayout(path), time, logger),
            sides.Find,
            time,
            logger);
    }

    private static Door DoorOf(Upstream upstream, RegistryOptions registry) => new(upstream, registry.Url, registry.Host, registry.Default);

    private static UpstreamOptions OptionsOf(RegistryOptions registry, string via)
    {
        var remote = new RemoteRegistryOptions
        {
            Name = registry.Name,
            Url = registry.Url,
            Credentials = registry is { Username: { } username, Password: { } password } ? new BasicCredentials(username, password.Reveal()) : null,
            DockerConfig = registry.Credentials == CredentialSource.Docker ? DockerConfigPath() : null,
            Realms = registry.Realms,
            Via = via,
            CertificateAuthorities = registry.CertificateAuthorities,
            ClientCertificate = registry.ClientCertificate,
            Proxy = registry.Proxy,
            MaxConnections = registry.MaxConnections,
            Bandwidth = registry.Bandwidth,
            UserAgent = $"mirror/{typeof(MirrorServer).Assembly.GetName().Version!.ToString(3)}",
        };
        return new UpstreamOptions(remote, new Freshness(registry.TagFreshness, registry.ServeStale) { Immutable = registry.ImmutableTags })
        {
            SharesAll = registry.Share == Share.All,
            IsOffline = registry.Offline,
            FinishAbandoned = registry.FinishAbandoned,
            Complete = registry.Complete,
            Allow = registry.Allow,
        };
    }

    private static string DockerConfigPath() => Path.Combine(
        Environment.GetEnvironmentVariable("DOCKER_CONFIG") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".docker"),
        "config.json");
}
