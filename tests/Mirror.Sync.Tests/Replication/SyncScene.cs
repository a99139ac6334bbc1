using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Planning;
using Mirror.Sync.Replication;
using Mirror.Sync.Repositories;
using Mirror.Testing;

namespace Mirror.Sync.Tests.Replication;

/// <summary>Two registries, and a runner that copies from one to the other.</summary>
internal sealed class SyncScene : IAsyncDisposable
{
    private readonly List<RemoteRegistry> _clients = [];
    private Dictionary<string, RemoteRepositories> _registries = [];

    private SyncScene(FakeRegistry source, FakeRegistry target)
    {
        (Source, Target) = (source, target);
        Restart();
    }

    public static RepositoryName App { get; } = RepositoryName.Parse("org/app");

    public static RepositoryName Tool { get; } = RepositoryName.Parse("org/tool");

    public FakeRegistry Source { get; }

    public FakeRegistry Target { get; }

    /// <summary>The waits between attempts are over at once, and no timeout is.</summary>
    public ManualTime Time { get; } = new() { ShortWait = TimeSpan.FromSeconds(8) };

    public MemoryState State { get; private set; } = new();

    public SyncRunner Runner { get; private set; } = null!;

    public IReadOnlyList<TagPattern> ImmutableTags { get; set; } = [];

    public static async Task<SyncScene> StartAsync() => new(await FakeRegistry.StartAsync(), await FakeRegistry.StartAsync());

    public static SyncJob JobOf(params IReadOnlyList<string> repositories) => new()
    {
        Name = "job",
        From = Parse("source"),
        To = Parse("target"),
        Repositories = [.. repositories.Select(text =>
            RepositoryFilter.TryParse(text, out var filter, out var fault) ? filter : throw new FormatException(fault))],
    };

    public static Endpoint Parse(string text) => Endpoint.TryParse(text, out var endpoint) ? endpoint : throw new FormatException(text);

    public static async Task<RunReport> RunAsync(SyncRunner runner, SyncJob job, RunScope? scope = null) =>
        await runner.Start(job, scope ?? new RunScope(), "command").Run.Completion;

    public Task<RunReport> RunAsync(SyncJob job, RunScope? scope = null) => RunAsync(Runner, job, scope);

    public Task<SyncPlan> PlanAsync(SyncJob job) => Runner.PlanAsync(job, new RunScope(), CancellationToken.None);

    /// <summary>As after a new start of the process: what is remembered stays, unless it is lost.</summary>
    public void Restart(bool losesState = false, Func<RemoteRegistryOptions, RemoteRegistryOptions>? configure = null)
    {
        State = losesState ? new MemoryState() : State;
        _registries = new[] { ("source", Source), ("target", Target) }.ToDictionary(
            pair => pair.Item1,
            pair =>
            {
                var options = new RemoteRegistryOptions { Name = pair.Item1, Url = pair.Item2.Url };
                var client = new RemoteRegistry(configure?.Invoke(options) ?? options, Time);
                _clients.Add(client);
                return new RemoteRepositories(client, Time);
            });
        Runner = new SyncRunner(FindEnds, State, Time);
    }

    public void ClearRequests()
    {
        Source.ClearRequests();
        Target.ClearRequests();
    }

    /// <summary>Whether a tag has the same bytes at either side, and all that it leads to.</summary>
    public void AssertCopied(RepositoryName repository, string tag)
    {
        var expected = Source.FindManifest(repository, Tag.Parse(tag));
        var copied = Target.FindManifest(repository, Tag.Parse(tag));
        Assert.NotNull(copied);
        Assert.Equal(expected!.Content.ToArray(), copied.Content.ToArray());
        Assert.Equal(expected.MediaType, copied.MediaType);
        AssertWhole(repository, copied);
    }

    public void AssertWhole(RepositoryName repository, TestBlob content)
    {
        Assert.True(Manifest.TryParse(content.Content, content.MediaType, content.Digest.Algorithm, out var manifest, out _));
        Assert.All(manifest.View().Blobs, blob => Assert.True(blob.Digest.Matches(Target.FindBlob(repository, blob.Digest)!.Content.Span)));
        Assert.All(manifest.View().Children, child => AssertWhole(repository, Target.FindManifest(repository, child.Digest)!));
    }

    /// <summary>How often a blob was sent, in whatever way and to whatever repository.</summary>
    public int TimesSent(TestBlob blob) => Target.Requests.Count(request =>
        request.Method == HttpMethod.Put && request.Target.Contains(Uri.EscapeDataString(blob.Digest.ToString()), StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        await Source.DisposeAsync();
        await Target.DisposeAsync();
    }

    private JobEnds FindEnds(SyncJob job) => new(
        _registries[((Endpoint.Registry)job.From).Name], _registries[((Endpoint.Registry)job.To).Name], ImmutableTags);
}
