using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Caching;
using Mirror.Configuration;
using Mirror.Local;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Replication;
using Mirror.Storage;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.Replication;
using Mirror.Sync.Repositories;
using Mirror.Sync.State;
using Mirror.Testing;

namespace Mirror.Tests.Replication;

/// <summary>
/// An upstream, a registry to copy to, and a mirror whose own names are <c>team/**</c>. Jobs run on the mirror's data directory while its
/// server is down; clients ask the server.
/// </summary>
internal sealed class SideScene : IAsyncDisposable
{
    private SideScene(FakeRegistry upstream, FakeRegistry other, MirrorHost mirror) =>
        (Upstream, Other, Mirror) = (upstream, other, mirror);

    public static RepositoryName App { get; } = RepositoryName.Parse("org/app");

    public FakeRegistry Upstream { get; }

    public FakeRegistry Other { get; }

    public MirrorHost Mirror { get; }

    public ManualTime Time => Mirror.Time;

    public static Task<SideScene> StartAsync(Func<RegistryOptions, RegistryOptions>? configure = null) => StartAsync(_ => { }, configure);

    public static async Task<SideScene> StartAsync(Action<FakeRegistry> fill, Func<RegistryOptions, RegistryOptions>? configure = null)
    {
        var upstream = await FakeRegistry.StartAsync();
        fill(upstream);
        var registry = MirrorHost.Registry("docker.io", upstream) with { Default = true };
        var mirror = await MirrorHost.StartAsync([configure?.Invoke(registry) ?? registry], local: ["team/**"]);
        return new SideScene(upstream, await FakeRegistry.StartAsync(), mirror);
    }

    public static SyncJob JobOf(string from, string to, params IReadOnlyList<string> repositories) => new()
    {
        Name = $"{from} to {to}",
        From = Parse(from),
        To = Parse(to),
        Repositories = [.. repositories.Select(text =>
            RepositoryFilter.TryParse(text, out var filter, out var fault) ? filter : throw new FormatException(fault))],
    };

    /// <summary>The waits between attempts are over at once, however many fail.</summary>
    public void WaitForNothing() => Time.ShortWait = TimeSpan.FromSeconds(8);

    /// <summary>Does something with the data directory while the server is down; it is up again afterwards.</summary>
    public Task OpenAsync(Func<Sides, Task> work, Func<UpstreamOptions, UpstreamOptions>? configure = null) =>
        Mirror.RestartAsync(async () =>
        {
            await using var sides = new Sides(this, configure);
            await work(sides);
        });

    /// <summary>Runs a job while the server is down.</summary>
    public async Task<RunReport> RunAsync(SyncJob job, Func<UpstreamOptions, UpstreamOptions>? configure = null)
    {
        RunReport? report = null;
        await OpenAsync(async sides => report = await sides.RunAsync(job), configure);
        return report!;
    }

    public static TestImage SignatureOf(TestBlob manifest) =>
        TestImage.Create(layerSize: 10, seed: 2, subject: manifest.Descriptor, artifactType: "application/vnd.example.signature");

    public string PathOf(Digest digest) => new StoreLayout(Mirror.DataPath).Blob(digest);

    /// <summary>A client's pull of one thing, which has to be right.</summary>
    public async Task AssertServedAsync(string path, TestBlob expected)
    {
        var answer = await RawHttp.GetAsync(Mirror.Url, path);
        Assert.True(answer is { Status: 200, IsComplete: true }, $"{path}: {answer.Status} {answer.Text}");
        Assert.Equal(expected.Content.ToArray(), answer.Body);
    }

    /// <summary>A client's pull of a whole image.</summary>
    public async Task AssertServedAsync(string repository, string reference, TestImage image)
    {
        await AssertServedAsync($"/v2/{repository}/manifests/{reference}", image.Manifest);
        foreach (var blob in image.Blobs)
        {
            await AssertServedAsync($"/v2/{repository}/blobs/{blob.Digest}", blob);
        }
    }

    public async Task AssertServedAsync(string repository, string tag, TestIndex index)
    {
        await AssertServedAsync($"/v2/{repository}/manifests/{tag}", index.Manifest);
        foreach (var image in index.Images)
        {
            await AssertServedAsync(repository, $"{image.Digest}", image);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Mirror.DisposeAsync();
        await Upstream.DisposeAsync();
        await Other.DisposeAsync();
    }

    private static Endpoint Parse(string text) => Endpoint.TryParse(text, out var endpoint) ? endpoint : throw new FormatException(text);

    /// <summary>The mirror's store and caches, and a runner of jobs between them and the two registries.</summary>
    internal sealed class Sides : IAsyncDisposable
    {
        private readonly MirrorMetrics _metrics = new();
        private readonly Uploads _uploads;
        private readonly Dictionary<string, RemoteRegistry> _clients;
        private readonly ManualTime _time;

        public Sides(SideScene scene, Func<UpstreamOptions, UpstreamOptions>? configure)
        {
            _time = scene.Time;
            var options = new UpstreamOptions(
                new RemoteRegistryOptions { Name = "docker.io", Url = scene.Upstream.Url },
                new Freshness(TimeSpan.FromMinutes(5), TimeSpan.FromDays(30)));
            options = configure?.Invoke(options) ?? options;
            Store = Store.Open(scene.Mirror.DataPath, _time);
            var trouble = new StoreTrouble(_metrics, _time, NullLogger<StoreTrouble>.Instance);
            _clients = new[] { options.Remote, new RemoteRegistryOptions { Name = "other", Url = scene.Other.Url } }
                .ToDictionary(remote => remote.Name, remote => new RemoteRegistry(remote, _time));
            Cache = new PullThrough([(options, _clients["docker.io"])], Store, trouble, _metrics, _time, NullLoggerFactory.Instance);
            _uploads = new Uploads(Store.Blobs, _time);
            var ours = RepositoryPattern.Parse("team/**");
            Own = new OwnRepositories(
                Store, new LocalRepositories(Store), _uploads, Cache.Blobs, name => ours.Matches($"{name}"), _time);
            State = SyncStates.Open(SyncStateKind.Sqlite, new StoreLayout(scene.Mirror.DataPath), _time, NullLogger.Instance);
            Runner = new SyncRunner(FindEnds, State, _time);
        }

        public Store Store { get; }

        public PullThrough Cache { get; }

        public ISyncState State { get; }

        public OwnRepositories Own { get; }

        public SyncRunner Runner { get; }

        public Task<RunReport> RunAsync(SyncJob job) => Start(job).Completion;

        public RunningSync Start(SyncJob job) => Runner.Start(job, new RunScope(), "command").Run;

        public async ValueTask DisposeAsync()
        {
            await Cache.DisposeAsync();
            _uploads.Dispose();
            foreach (var client in _clients.Values)
            {
                client.Dispose();
            }

            State.Dispose();
            _metrics.Dispose();
            await Store.DisposeAsync();
        }

        private JobEnds FindEnds(SyncJob job) => new(
            job.From is Endpoint.Registry from ? FindRemote(from) : Own,
            job.To switch
            {
                Endpoint.Registry to => FindRemote(to),
                Endpoint.Cache => new CachedRepositories(Cache.Upstreams[0], Cache, Store.Leases, _time),
                _ => Own,
            },
            []);

        private RemoteRepositories FindRemote(Endpoint.Registry registry) => new(_clients[registry.Name], _time);
    }
}
