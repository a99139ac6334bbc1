using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

public sealed class LyingUpstreamTests
{
    private const int Size = 600_000;

    public static TheoryData<string, Behaviour> Lies => new()
    {
        { "the first byte is wrong", Behaviour.WrongBytes() },
        { "a byte in the middle is wrong", Behaviour.WrongBytes(Size / 2) },
        { "the last byte is wrong", Behaviour.WrongBytes(Size - 1) },
        { "too few bytes, and says so", Behaviour.TooFew(10) },
        { "too many bytes, and says so", Behaviour.TooMany(10) },
        { "an error page with status 200", Behaviour.OtherManifest("<html>"u8.ToArray()) },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task No_client_gets_a_complete_blob_that_is_wrong_and_the_next_try_works(string lie, Behaviour behaviour)
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(behaviour);

        var answer = await scene.GetRawAsync(scene.LayerPath);

        Assert.False(answer is { Status: 200, IsComplete: true }, $"a complete body although upstream sent {lie}");
        Assert.DoesNotContain(scene.Layer.Digest, scene.Mirror.Published());
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
    }

    [Fact]
    public async Task A_failure_before_the_first_byte_that_passes_is_not_noticed()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.Status(500));
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.HangUp);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task A_blob_that_does_not_end_is_received_no_further_than_its_manifest_says_and_is_right()
    {
        await using var scene = await Scene.StartAsync(layerSize: 1000);
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.TooMany(50_000_000, LengthHeader.Absent), Behaviour.Drip(100, gate));
        gate.ReleaseBytes(5000);

        // The gate stays shut: who waited for more would wait for ever.
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task A_blob_of_another_size_than_its_manifest_says_is_not_received_at_all()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.TooMany(50_000_000));

        var answer = await scene.GetRawAsync(scene.LayerPath);

        Assert.Equal(502, answer.Status);
        Assert.Contains("the manifest says 600000", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_an_upstream_writes_can_not_forge_a_line_of_the_log()
    {
        await using var scene = await Scene.StartAsync();
        var forged = """{"schemaVersion":2,"mediaType":"x\n2026-01-01 INF Downloaded \u001b[31m"}""";
        scene.Upstream.AddManifest(Scene.Repository, TestBlob.Of(System.Text.Encoding.UTF8.GetBytes(forged), MediaTypes.OciManifest), "forged");

        Assert.Equal(502, (await scene.GetRawAsync(Scene.ManifestPath("forged"))).Status);

        var line = Assert.Single(scene.Mirror.Log.Lines, line => line.Contains("2026-01-01 INF", StringComparison.Ordinal));
        Assert.DoesNotContain(line, char.IsControl);
    }

    [Fact]
    public async Task A_range_to_the_end_of_a_wrong_blob_is_never_complete()
    {
        await using var scene = await Scene.StartAsync(layerSize: Size);
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.WrongBytes());

        var answer = await scene.GetRawAsync(scene.LayerPath, $"Range: bytes={Size - 5}-");

        Assert.False(answer is { Status: 206, IsComplete: true });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_manifest_that_is_not_the_one_asked_for_is_never_served_or_kept(bool alsoClaimsTheDigest)
    {
        await using var scene = await Scene.StartAsync();
        var other = TestImage.Create(layers: 1, layerSize: 10, seed: 99);
        Behaviour[] lie = alsoClaimsTheDigest
            ? [Behaviour.OtherManifest(other.Manifest.Content), Behaviour.WrongDigestHeader(scene.Image.Digest)]
            : [Behaviour.OtherManifest(other.Manifest.Content)];
        scene.Upstream.On(HttpMethod.Get, scene.Image.Digest).Times(1).Do(lie);
        var path = Scene.ManifestPath(scene.Image.Digest.ToString());

        var answer = await scene.GetRawAsync(path);

        Assert.Equal(502, answer.Status);
        Assert.Empty(scene.Mirror.Published());
        await scene.GetExactlyAsync(path, scene.Image.Manifest);
    }

    [Fact]
    public async Task A_tagged_manifest_that_is_not_what_its_digest_header_says_is_never_served()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(HttpMethod.Get, Scene.Repository, Scene.Tag).Times(1).Do(Behaviour.WrongDigestHeader(Digest.Sha256("other"u8)));

        Assert.Equal(502, (await scene.GetRawAsync(scene.TagPath)).Status);
        Assert.Empty(scene.Mirror.Published());
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"schemaVersion":1,"name":"x","signatures":[]}""")]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}""")]
    [InlineData("""{"schemaVersion":2,"schemaVersion":2,"config":{},"layers":[]}""")]
    [InlineData("""{"schemaVersion":2,"config":{"mediaType":"\ud800","digest":"sha256:0","size":1},"layers":[]}""")]
    public async Task A_manifest_that_is_none_is_a_bad_gateway_with_the_reason(string content)
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(HttpMethod.Get, Scene.Repository, Scene.Tag).Do(
            Behaviour.OtherManifest(System.Text.Encoding.UTF8.GetBytes(content)), Behaviour.NoDigestHeader, Behaviour.WrongContentType("text/plain"));

        var answer = await scene.GetRawAsync(scene.TagPath);

        Assert.Equal(502, answer.Status);
        Assert.Contains("manifest", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manifest_larger_than_four_mebibytes_is_refused_without_reading_all_of_it()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(HttpMethod.Get, Scene.Repository, Scene.Tag).Do(Behaviour.TooMany(60_000_000, LengthHeader.Absent), Behaviour.NoDigestHeader);

        var answer = await scene.GetRawAsync(scene.TagPath);

        Assert.Equal(502, answer.Status);
    }

    [Fact]
    public async Task A_silent_upstream_is_a_gateway_timeout()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(HttpMethod.Get, Scene.Repository, Scene.Tag).Do(Behaviour.Stall());

        var waiting = scene.Mirror.Time.TimerArmed(TimeSpan.FromSeconds(20));
        var asking = scene.GetRawAsync(scene.TagPath);
        await waiting;
        scene.Mirror.Time.Advance(TimeSpan.FromSeconds(20));

        Assert.Equal(504, (await asking).Status);
    }
}
