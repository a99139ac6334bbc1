using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>What the disk has lost or changed of what was pushed is an outage until it is pushed again, and then it is there.</summary>
public sealed class DamageTests
{
    private const string Repository = "team/app";

    private static readonly TestImage Image = TestImage.Create(layers: 2, layerSize: 1000, seed: 41);

    [Theory]
    [InlineData(Damage.Rotten)]
    [InlineData(Damage.Gone)]
    [InlineData(Damage.CutOff)]
    public async Task A_damaged_blob_is_unavailable_and_not_unknown_until_a_client_that_asks_first_has_pushed_it_again(Damage damage)
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1.0");
        Do(damage, registry, Image.Layer.Digest);
        var path = $"/v2/{Repository}/blobs/{Image.Layer.Digest}";

        Assert.Equal(503, (await registry.SendAsync("GET", path)).Status);
        Assert.Equal(404, (await registry.SendAsync("HEAD", path)).Status);
        Assert.Equal(503, (await registry.SendAsync("GET", path)).Status);
        await registry.PushBlobAsync(Repository, Image.Layer);

        Assert.Equal(200, (await registry.SendAsync("HEAD", path)).Status);
        await registry.GetExactlyAsync(path, Image.Layer);
    }

    [Theory]
    [InlineData(Damage.Rotten)]
    [InlineData(Damage.Gone)]
    public async Task A_push_over_a_blob_whose_damage_nobody_has_noticed_mends_it(Damage damage)
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1.0");
        Do(damage, registry, Image.Layer.Digest);

        await registry.PushBlobAsync("team/other", Image.Layer);

        await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{Image.Layer.Digest}", Image.Layer);
        await registry.GetExactlyAsync($"/v2/team/other/blobs/{Image.Layer.Digest}", Image.Layer);
    }

    [Theory]
    [InlineData(Damage.Rotten)]
    [InlineData(Damage.Gone)]
    public async Task A_damaged_manifest_is_unavailable_until_it_is_pushed_again(Damage damage)
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1.0");
        Do(damage, registry, Image.Digest);
        foreach (var reference in new[] { "1.0", Image.Digest.ToString() })
        {
            Assert.Equal(503, (await registry.SendAsync("GET", $"/v2/{Repository}/manifests/{reference}")).Status);
            Assert.Equal(404, (await registry.SendAsync("HEAD", $"/v2/{Repository}/manifests/{reference}")).Status);
        }

        Assert.Equal(201, (await registry.PutManifestAsync(Repository, Image.Manifest, "1.0")).Status);

        await registry.GetExactlyAsync($"/v2/{Repository}/manifests/1.0", Image.Manifest);
    }

    [Theory]
    [InlineData(Damage.Rotten)]
    [InlineData(Damage.Gone)]
    public async Task A_manifest_whose_damage_nobody_has_noticed_is_mended_by_pushing_it(Damage damage)
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1.0");
        Do(damage, registry, Image.Digest);

        Assert.Equal(201, (await registry.PutManifestAsync(Repository, Image.Manifest, "2.0")).Status);

        await registry.GetExactlyAsync($"/v2/{Repository}/manifests/1.0", Image.Manifest);
    }

    [Fact]
    public async Task Nothing_is_built_on_a_blob_that_is_lost()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1.0");
        Do(Damage.Gone, registry, Image.Layer.Digest);

        var manifest = await registry.PutManifestAsync(Repository, Image.Manifest, "2.0");
        var mount = await registry.SendAsync("POST", $"/v2/team/other/blobs/uploads/?mount={Image.Layer.Digest}&from={Repository}");

        Assert.Equal((400, "MANIFEST_BLOB_UNKNOWN"), (manifest.Status, manifest.Error));
        Assert.Equal(202, mount.Status);
        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/manifests/2.0")).Status);
    }

    [Fact]
    public async Task A_refused_manifest_leaves_no_file()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushBlobAsync(Repository, Image.Config);

        Assert.Equal(400, (await registry.PutManifestAsync(Repository, Image.Manifest, "1.0")).Status);

        Assert.Equal([Image.Config.Digest], registry.Mirror.Published());
    }

    public enum Damage
    {
        Rotten,
        Gone,
        CutOff,
    }

    private static void Do(Damage damage, OwnRegistry registry, Digest digest)
    {
        var file = Path.Combine(registry.Mirror.DataPath, "blobs", "sha256", digest.Hex[..2], digest.Hex);
        if (damage == Damage.Gone)
        {
            File.Delete(file);
            return;
        }

        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var content = File.ReadAllBytes(file);
        content[10] ^= 1;
        File.WriteAllBytes(file, damage == Damage.CutOff ? content[..20] : content);
    }
}
