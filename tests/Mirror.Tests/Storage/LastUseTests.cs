using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Storage;

public sealed class LastUseTests
{
    [Fact]
    public async Task When_content_was_last_asked_for_is_known_to_the_hour_also_after_a_restart()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        var published = scene.Mirror.Time.GetUtcNow();
        await scene.Mirror.RestartAsync(() => Assert.Equal(published, UsedAt(scene, scene.Layer.Digest)));

        scene.Mirror.Time.Advance(TimeSpan.FromMinutes(59));
        await scene.PullAsync();
        await scene.Mirror.RestartAsync(() => Assert.Equal(published, UsedAt(scene, scene.Layer.Digest)));

        scene.Mirror.Time.Advance(TimeSpan.FromMinutes(2));
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        using (var head = await scene.Mirror.HeadAsync(scene.TagPath))
        {
            Assert.True(head.IsSuccessStatusCode);
        }

        var used = scene.Mirror.Time.GetUtcNow();
        await scene.Mirror.RestartAsync(() =>
        {
            Assert.Equal(used, UsedAt(scene, scene.Layer.Digest));
            Assert.Equal(used, UsedAt(scene, scene.Image.Digest));
            Assert.Equal(published, UsedAt(scene, scene.Image.Config.Digest));
        });
    }

    [Fact]
    public async Task It_is_written_after_some_minutes_and_nothing_of_it_is_in_the_journal()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        await scene.Mirror.RestartAsync();
        scene.Mirror.Time.Advance(TimeSpan.FromHours(2));
        var journal = new FileInfo(new StoreLayout(scene.Mirror.DataPath).Journal).Length;
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        await scene.Mirror.Time.TimerArmed(TimeSpan.FromMinutes(3));
        scene.Mirror.Time.Advance(TimeSpan.FromMinutes(3));

        var written = scene.Mirror.Time.GetUtcNow();
        await Poll.UntilAsync(() => UsedAt(scene, scene.Layer.Digest) == written, "it was not written");

        Assert.Equal(journal, new FileInfo(new StoreLayout(scene.Mirror.DataPath).Journal).Length);
    }

    private static DateTimeOffset UsedAt(Scene scene, Digest digest)
    {
        using var session = new SqlSession(new StoreLayout(scene.Mirror.DataPath).Database, readOnly: true);
        return DateTimeOffset.FromUnixTimeMilliseconds(
            session.FindOne("SELECT used_at FROM blobs WHERE digest = $1", row => row.GetInt64(0), digest.ToString()));
    }
}
