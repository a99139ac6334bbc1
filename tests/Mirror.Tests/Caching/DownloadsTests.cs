using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Caching;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class DownloadsTests
{
    /// <summary>Who looked into the store just before a download ended, and asks for one just after, must not start another.</summary>
    [Fact]
    public async Task A_blob_that_has_come_since_the_caller_looked_is_not_fetched_again()
    {
        var name = RepositoryName.Parse("library/alpine");
        var image = TestImage.Create();
        await using var registry = await FakeRegistry.StartAsync();
        registry.Add(name, image, "3.20");
        using var folder = new TemporaryDirectory();
        using var metrics = new MirrorMetrics();
        var time = new ManualTime();
        await using var store = Store.Open(folder.Path, time);
        var options = new UpstreamOptions(
            new RemoteRegistryOptions { Name = "docker.io", Url = registry.Url }, new Freshness(TimeSpan.Zero, TimeSpan.Zero));
        using var remote = new RemoteRegistry(options.Remote, time);
        var upstream = new Upstream(options, remote, everybody: null, metrics, NullLogger<Upstream>.Instance);
        var repository = new UpstreamRepository(upstream, name);
        var cached = new CacheStore(store, new StoreTrouble(metrics, time, NullLogger<StoreTrouble>.Instance));

        await using (var downloads = new Downloads(cached, metrics, time, NullLoggerFactory.Instance))
        {
            await ReadToEndAsync(Assert.IsType<DownloadAnswer.Following>(Follow(downloads)).Follower);
        }

        await using var later = new Downloads(cached, metrics, time, NullLoggerFactory.Instance);
        Assert.IsType<DownloadAnswer.AlreadyHere>(Follow(later));
        Assert.Equal(1, registry.Count(HttpMethod.Get, image.Layer.Digest));

        DownloadAnswer Follow(Downloads asked) =>
            asked.Follow(repository, image.Layer.Digest, null, TransferPriority.Client, throughOthers: false, evenIfHere: false);
    }

    private static async Task ReadToEndAsync(BlobFollower follower)
    {
        await using (follower)
        {
            var buffer = new byte[64 * 1024];
            for (var position = 0; ;)
            {
                var read = await follower.ReadAsync(new BlobPart(position, long.MaxValue, null), buffer, CancellationToken.None);
                if (read == 0)
                {
                    return;
                }

                position += read;
            }
        }
    }
}
