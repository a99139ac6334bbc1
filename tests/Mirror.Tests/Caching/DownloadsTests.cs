using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Caching;
using Mirror.Observability;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>What depends on who comes and goes in which order, which requests over connections do not say.</summary>
public sealed class DownloadsTests
{
    private const int Size = 1_000_000;

    /// <summary>Who looked into the store just before a download ended, and asks for one just after, must not start another.</summary>
    [Fact]
    public async Task A_blob_that_has_come_since_the_caller_looked_is_not_fetched_again()
    {
        await using var stage = await Stage.StartAsync();
        await using (var downloads = stage.NewDownloads())
        {
            await stage.ReadToEndAsync(stage.Follow(downloads, stage.First), stage.First);
        }

        await using var later = stage.NewDownloads();
        Assert.IsType<DownloadAnswer.AlreadyHere>(stage.Ask(later, stage.First, TransferPriority.Client));
        Assert.Equal(1, stage.Registry.Count(HttpMethod.Get, stage.First.Digest));
    }

    [Fact]
    public async Task Who_comes_when_a_download_has_just_been_stopped_gets_one_that_goes_on_where_it_ended()
    {
        await using var stage = await Stage.StartAsync();
        await using var downloads = stage.NewDownloads();
        var gate = stage.Hold(stage.First);
        gate.ReleaseBytes(Size / 2);
        var leaving = stage.Follow(downloads, stage.First);
        await leaving.ReadAsync(new BlobPart((Size / 2) - 2, Size, Size), new byte[1], CancellationToken.None);

        await leaving.DisposeAsync();
        var coming = stage.Follow(downloads, stage.First);
        await stage.Registry.Received(HttpMethod.Get, stage.First.Digest, count: 2);
        gate.Open();
        await stage.ReadToEndAsync(coming, stage.First);

        Assert.Equal([null, $"bytes={Size / 2}-"], stage.Registry.RequestsFor(stage.First.Digest).Select(request => request.Header("Range")));
    }

    /// <summary>Of one connection in four, which is what there is for others than clients.</summary>
    [Fact]
    public async Task A_download_gives_way_when_its_clients_have_left_and_no_longer_when_one_comes_back()
    {
        await using var stage = await Stage.StartAsync(finishAbandoned: Size);
        await using var downloads = stage.NewDownloads();
        var gate = stage.Hold(stage.First);
        await using var completion = stage.Follow(downloads, stage.First, TransferPriority.Completion);
        var client = stage.Follow(downloads, stage.First);
        await gate.Arrived();
        await client.DisposeAsync();

        await using var next = stage.Follow(downloads, stage.Second, TransferPriority.Completion);
        await stage.ReadToEndAsync(stage.Follow(downloads, stage.Third), stage.Third);
        Assert.Empty(stage.Registry.RequestsFor(stage.Second.Digest));
        await using var back = stage.Follow(downloads, stage.First);
        await stage.ReadToEndAsync(next, stage.Second);
    }

    private sealed class Stage : IAsyncDisposable
    {
        private readonly TemporaryDirectory _folder = new();
        private readonly MirrorMetrics _metrics = new();
        private readonly ManualTime _time = new();
        private readonly TestImage _image = TestImage.Create(layers: 3, layerSize: Size);
        private readonly Store _store;
        private readonly CacheStore _cached;
        private readonly RemoteRegistry _remote;
        private readonly UpstreamRepository _repository;

        private Stage(FakeRegistry registry, long finishAbandoned)
        {
            Registry = registry;
            var reach = new RemoteRegistryOptions { Name = "docker.io", Url = registry.Url, MaxConnections = 4 };
            var options = new UpstreamOptions(reach, new Freshness(TimeSpan.Zero, TimeSpan.Zero)) { FinishAbandoned = finishAbandoned };
            registry.Add(Scene.Repository, _image, Scene.Tag);
            _store = Store.Open(_folder.Path, _time);
            _cached = new CacheStore(_store, new StoreTrouble(_metrics, _time, NullLogger<StoreTrouble>.Instance));
            _remote = new RemoteRegistry(options.Remote, _time);
            var upstream = new Upstream(options, _remote, everybody: null, _metrics, NullLogger<Upstream>.Instance);
            _repository = new UpstreamRepository(upstream, Scene.Repository);
        }

        public FakeRegistry Registry { get; }

        public TestBlob First => _image.Layers[0];

        public TestBlob Second => _image.Layers[1];

        public TestBlob Third => _image.Layers[2];

        public static async Task<Stage> StartAsync(long finishAbandoned = 0) => new(await FakeRegistry.StartAsync(), finishAbandoned);

        public Downloads NewDownloads() => new(_cached, _metrics, _time, NullLoggerFactory.Instance);

        public DownloadAnswer Ask(Downloads downloads, TestBlob blob, TransferPriority priority) =>
            downloads.Follow(_repository, blob.Digest, announcedSize: null, priority, throughOthers: false, evenIfHere: false);

        public BlobFollower Follow(Downloads downloads, TestBlob blob, TransferPriority priority = TransferPriority.Client) =>
            Assert.IsType<DownloadAnswer.Following>(Ask(downloads, blob, priority)).Follower;

        /// <summary>Upstream gives of a blob what the gate lets through.</summary>
        public Gate Hold(TestBlob blob)
        {
            var gate = new Gate();
            Registry.On(HttpMethod.Get, blob.Digest).Do(Behaviour.Drip(64 * 1024, gate));
            return gate;
        }

        public async Task ReadToEndAsync(BlobFollower follower, TestBlob blob)
        {
            await using (follower)
            {
                var content = new byte[blob.Size + 1];
                var position = 0;
                while (await follower.ReadAsync(new BlobPart(position, long.MaxValue, null), content.AsMemory(position), CancellationToken.None)
                    is > 0 and var read)
                {
                    position += read;
                }

                Assert.Equal(blob.Content.ToArray(), content[..position]);
            }
        }

        public async ValueTask DisposeAsync()
        {
            _remote.Dispose();
            await _store.DisposeAsync();
            await Registry.DisposeAsync();
            _metrics.Dispose();
            _folder.Dispose();
        }
    }
}
