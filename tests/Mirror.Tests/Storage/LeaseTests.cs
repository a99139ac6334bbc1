using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;
using Mirror.Tests.Local;

namespace Mirror.Tests.Storage;

public sealed class LeaseTests
{
    private static readonly TimeSpan Day = Leases.Duration;
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly ManualTime _time = new();
    private readonly Leases _leases;

    public LeaseTests() => _leases = new Leases(_time);

    [Fact]
    public void For_a_day_after_a_start_everything_is_held()
    {
        _time.Advance(Day - Moment);
        Assert.True(_leases.IsHeld(DigestOf(1)));

        _time.Advance(Moment);
        Assert.False(_leases.IsHeld(DigestOf(1)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(0.99)]
    public void What_was_taken_is_held_for_a_day_and_not_longer_than_two(double daysIntoTheSet)
    {
        _time.Advance(Day * (2 + daysIntoTheSet));
        _leases.Take(DigestOf(1));

        _time.Advance(Day - Moment);
        Assert.True(_leases.IsHeld(DigestOf(1)));
        Assert.False(_leases.IsHeld(DigestOf(2)));
        _time.Advance(Day + Moment);
        Assert.False(_leases.IsHeld(DigestOf(1)));
    }

    [Fact]
    public void What_is_taken_again_and_again_is_held_as_long_as_that_goes_on()
    {
        for (var i = 0; i < 20; i++)
        {
            _leases.Take(DigestOf(1));
            _time.Advance(Day * 0.7);
            Assert.True(_leases.IsHeld(DigestOf(1)));
        }
    }

    [Fact]
    public void Many_take_at_once_and_all_are_held()
    {
        _time.Advance(Day);

        Parallel.For(0, 20_000, i => _leases.Take(DigestOf(i % 1000)));

        Assert.All(Enumerable.Range(0, 1000), i => Assert.True(_leases.IsHeld(DigestOf(i))));
        Assert.False(_leases.IsHeld(DigestOf(1000)));
    }

    /// <summary>
    /// The same image is under a name of our own and in the cache. A name of one segment may mean either, and borrows what it lacks.
    /// </summary>
    [Theory]
    [InlineData("POST /v2/team/app/blobs/uploads/?digest={new}", 201, "new")]
    [InlineData("POST /v2/team/other/blobs/uploads/?mount={layer}&from=team/app", 201, "layer")]
    [InlineData("HEAD /v2/team/app/blobs/{layer}", 200, "layer")]
    [InlineData("GET /v2/team/app/blobs/{layer}", 200, "layer")]
    [InlineData("PUT /v2/team/app/manifests/2.0", 201, "manifest")]
    [InlineData("HEAD /v2/team/app/manifests/1.0", 200, "manifest")]
    [InlineData("HEAD /v2/team/app/manifests/{manifest}", 200, "manifest")]
    [InlineData("GET /v2/team/app/manifests/1.0", 200, "manifest")]
    [InlineData("GET /v2/team/app/manifests/{manifest}", 200, "manifest")]
    [InlineData("HEAD /v2/library/app/blobs/{layer}", 200, "layer")]
    [InlineData("GET /v2/library/app/blobs/{layer}", 200, "layer")]
    [InlineData("HEAD /v2/library/app/manifests/1.0", 200, "manifest")]
    [InlineData("HEAD /v2/library/app/manifests/{manifest}", 200, "manifest")]
    [InlineData("GET /v2/library/app/manifests/1.0", 200, "manifest")]
    [InlineData("GET /v2/library/app/manifests/{manifest}", 200, "manifest")]
    [InlineData("HEAD /v2/app/blobs/{layer}", 200, "layer")]
    [InlineData("PUT /v2/app/manifests/2.0", 201, "manifest config layer")]
    public async Task What_a_client_has_brought_or_was_told_to_be_here_is_held_for_a_day_and_nothing_else(
        string request, int status, string held)
    {
        var image = TestImage.Create(layerSize: 1000, seed: 1);
        var known = new Dictionary<string, TestBlob>
        {
            ["manifest"] = image.Manifest, ["config"] = image.Config, ["layer"] = image.Layer, ["new"] = TestBlob.Create(1000, seed: 2),
        };
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(RepositoryName.Parse("library/app"), image, "1.0");
        await using var registry = await OwnRegistry.StartAsync(upstream, "*", "team/**");
        await registry.GetExactlyAsync("/v2/library/app/manifests/1.0", image.Manifest);
        foreach (var blob in image.Blobs)
        {
            await registry.GetExactlyAsync($"/v2/library/app/blobs/{blob.Digest}", blob);
            await registry.Mirror.PublishedAsync(blob.Digest);
        }

        await registry.PushAsync("team/app", image, "1.0");
        registry.Mirror.Time.Advance(2 * Day);
        Assert.Empty(Held());
        var method = request.Split(' ')[0];
        var target = known.Aggregate(
            request.Split(' ')[1], (path, of) => path.Replace($"{{{of.Key}}}", $"{of.Value.Digest}", StringComparison.Ordinal));
        var answer = method == "PUT"
            ? await registry.SendAsync(method, target, image.Manifest.Content, ("Content-Type", image.Manifest.MediaType))
            : await registry.SendAsync(method, target, method == "POST" ? known["new"].Content : null);
        Assert.Equal(status, answer.Status);

        Assert.Equal(held.Split(' '), Held());
        registry.Mirror.Time.Advance(Day - Moment);
        Assert.Equal(held.Split(' '), Held());
        registry.Mirror.Time.Advance(Day + Moment);
        Assert.Empty(Held());

        IEnumerable<string> Held() => known.Where(of => registry.Mirror.Server.Store.Leases.IsHeld(of.Value.Digest)).Select(of => of.Key);
    }

    private static Digest DigestOf(int number) => Digest.Sha256(BitConverter.GetBytes(number));
}
