using System.Text.Json;
using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;
using Mirror.Tests.Local;

namespace Mirror.Tests.Storage;

/// <summary>The database is an index: the published files and the journal are enough to make it again.</summary>
public sealed class RebuildTests
{
    [Theory]
    [InlineData(DigestAlgorithm.Sha256)]
    [InlineData(DigestAlgorithm.Sha512)]
    public async Task All_that_was_acknowledged_is_there_again_when_the_database_was_lost(DigestAlgorithm algorithm)
    {
        await using var own = await OwnRegistry.StartAsync();
        var (kept, moved, gone) = (Image(1, algorithm), Image(2, algorithm), Image(3, algorithm));
        await own.PushAsync("app", kept, "1");
        await own.PushAsync("team/app", moved, "latest");
        await own.PushAsync("team/app", kept, "latest");
        await own.PushAsync("app", gone, "gone");
        await own.PushAsync("app", moved, "2");
        var (signature, revoked) = (Signature(4, kept), Signature(5, kept));
        await own.PushAsync("app", signature, signature.Digest.ToString());
        await own.PushAsync("app", revoked, revoked.Digest.ToString());
        Assert.Equal(201, (await own.SendAsync("POST", $"/v2/other/blobs/uploads/?mount={kept.Layer.Digest}&from=app")).Status);
        string[] deletions =
        [
            "app/manifests/2", $"app/manifests/{gone.Digest}", $"app/manifests/{revoked.Digest}", $"app/blobs/{gone.Layer.Digest}",
        ];
        foreach (var deleted in deletions)
        {
            Assert.Equal(202, (await own.SendAsync("DELETE", $"/v2/{deleted}")).Status);
        }

        await own.Mirror.RestartAsync(() => Assert.Empty(RebuiltWithoutDatabase(own.Mirror.DataPath)));

        await own.GetExactlyAsync("/v2/app/manifests/1", kept.Manifest);
        await own.GetExactlyAsync("/v2/team/app/manifests/latest", kept.Manifest);
        await own.GetExactlyAsync($"/v2/app/manifests/{moved.Digest}", moved.Manifest);
        await own.GetExactlyAsync($"/v2/other/blobs/{kept.Layer.Digest}", kept.Layer);
        foreach (var blob in kept.Blobs)
        {
            await own.GetExactlyAsync($"/v2/app/blobs/{blob.Digest}", blob);
        }

        Assert.Equal("""{"name":"app","tags":["1"]}""", await TextAsync("/v2/app/tags/list"));
        Assert.Equal("""{"name":"team/app","tags":["latest"]}""", await TextAsync("/v2/team/app/tags/list"));
        using var referrers = JsonDocument.Parse(await TextAsync($"/v2/app/referrers/{kept.Digest}"));
        var referrer = Assert.Single(referrers.RootElement.GetProperty("manifests").EnumerateArray());
        Assert.Equal(signature.Digest.ToString(), referrer.GetProperty("digest").GetString());
        Assert.Equal("application/vnd.signature", referrer.GetProperty("artifactType").GetString());
        foreach (var missing in deletions.Append($"other/blobs/{kept.Config.Digest}"))
        {
            Assert.Equal(404, (await own.SendAsync("GET", $"/v2/{missing}")).Status);
        }

        async Task<string> TextAsync(string path) => System.Text.Encoding.UTF8.GetString((await own.SendAsync("GET", path)).Body);
    }

    [Fact]
    public async Task What_was_cached_is_served_with_upstream_gone_after_the_database_was_made_again()
    {
        await using var scene = await Scene.StartAsync(layers: 2, layerSize: 600_000);
        await scene.PullAsync();
        foreach (var layer in scene.Image.Blobs)
        {
            await scene.Mirror.PublishedAsync(layer.Digest);
        }

        await scene.Upstream.StopAsync();
        await scene.Mirror.RestartAsync(() => Assert.Empty(RebuiltWithoutDatabase(scene.Mirror.DataPath)));

        await scene.PullAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Whatever_was_done_before_the_database_that_is_made_again_says_the_same(int seed)
    {
        using var folder = new TemporaryDirectory();
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            var history = new RandomHistory(store, new Random(seed));
            for (var step = 0; step < 300; step++)
            {
                await history.StepAsync();
            }
        }

        var before = Dump(folder.Path);

        Assert.Empty(RebuiltWithoutDatabase(folder.Path));

        Assert.NotEmpty(before);
        Assert.Equal(before, Dump(folder.Path));
    }

    [Fact]
    public async Task A_file_that_is_not_what_its_name_says_is_named_and_not_served()
    {
        await using var own = await OwnRegistry.StartAsync();
        var (whole, damaged, headless) = (Image(1), Image(2), Image(3));
        await own.PushAsync("app", whole, "whole");
        await own.PushAsync("app", damaged, "damaged");
        await own.PushAsync("app", headless, "headless");
        var layout = new StoreLayout(own.Mirror.DataPath);
        List<string> leftOut = [];

        await own.Mirror.RestartAsync(() =>
        {
            Damage(layout.Blob(damaged.Layer.Digest));
            File.Delete(layout.Blob(headless.Digest));
            leftOut = RebuiltWithoutDatabase(own.Mirror.DataPath);
        });

        Assert.Equal(4, leftOut.Count);
        var file = Path.GetRelativePath(layout.Root, layout.Blob(damaged.Layer.Digest));
        Assert.Contains($"{file} is damaged: it does not have the digest that is its name", leftOut);
        Assert.Contains($"app@{damaged.Layer.Digest} was pushed here, and its file is gone or damaged", leftOut);
        Assert.Contains($"app@{headless.Digest} was pushed here, and its file is gone or damaged", leftOut);
        Assert.Contains($"app:headless points to {headless.Digest}, whose file is gone or damaged", leftOut);
        Assert.Equal(503, (await own.SendAsync("GET", $"/v2/app/blobs/{damaged.Layer.Digest}")).Status);
        Assert.Equal(404, (await own.SendAsync("HEAD", $"/v2/app/blobs/{damaged.Layer.Digest}")).Status);
        Assert.Equal(404, (await own.SendAsync("GET", "/v2/app/manifests/headless")).Status);
        await own.GetExactlyAsync("/v2/app/manifests/whole", whole.Manifest);

        // Who pushes it again repairs it.
        await own.PushAsync("app", damaged, "damaged");
        await own.GetExactlyAsync($"/v2/app/blobs/{damaged.Layer.Digest}", damaged.Layer);
    }

    [Fact]
    public async Task What_is_not_ours_among_the_published_files_is_named_and_left_where_it_is()
    {
        await using var own = await OwnRegistry.StartAsync();
        var image = Image(1);
        await own.PushAsync("app", image, "1");
        var layout = new StoreLayout(own.Mirror.DataPath);
        var other = Digest.Sha256("elsewhere"u8);
        string[] junk =
        [
            "blobs/README", "blobs/sha1", "blobs/sha256/junk", "blobs/sha256/zz/x", "blobs/sha256/empty",
            "blobs/sha256/ab/" + new string('b', 64), "blobs/sha512/ab/" + new string('A', 128),
            $"blobs/sha256/{other.Hex[..2]}/{other.Hex}.tmp", $"blobs/sha256/{image.Digest.Hex[..2]}/{image.Digest.Hex[..63]}",
        ];
        string[] links = [$"blobs/sha256/{other.Hex[..2]}/{other.Hex}", "blobs/sha256/ll"];
        List<string> leftOut = [];

        await own.Mirror.RestartAsync(() =>
        {
            foreach (var file in junk)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(layout.Root, file))!);
                File.WriteAllText(Path.Combine(layout.Root, file), "junk");
            }

            File.WriteAllText(Path.Combine(layout.Root, "elsewhere"), "elsewhere");
            File.CreateSymbolicLink(Path.Combine(layout.Root, links[0]), Path.Combine(layout.Root, "elsewhere"));
            Directory.CreateSymbolicLink(Path.Combine(layout.Root, links[1]), layout.Root);
            Directory.CreateDirectory(layout.Blob(Digest.Sha256("folder"u8)));
            leftOut = RebuiltWithoutDatabase(layout.Root);
        });

        Assert.All(junk.Concat(links), name => Assert.Single(leftOut, what => what.StartsWith(name + " ", StringComparison.Ordinal)));
        Assert.Equal(junk.Length + links.Length + 1, leftOut.Count);
        Assert.All(junk, name => Assert.Equal("junk", File.ReadAllText(Path.Combine(layout.Root, name))));
        await own.GetExactlyAsync("/v2/app/manifests/1", image.Manifest);
        await own.GetExactlyAsync($"/v2/app/blobs/{image.Layer.Digest}", image.Layer);
    }

    [Fact]
    public async Task A_journal_line_that_can_not_be_followed_is_named_with_its_place_and_costs_no_other()
    {
        using var folder = new TemporaryDirectory();
        var app = RepositoryKey.Local(RepositoryName.Parse("app"));
        var layout = new StoreLayout(folder.Path);
        Digest digest;
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            digest = await PushAsync(store, app.Name, "first");
        }

        var good = File.ReadAllLines(layout.Journal);
        var hex = digest.ToString();
        string[] bad =
        [
            "", "rubbish", new string('x', 3_000_000), "0123456789abcdef {}", "\0\0\0\0",
            good[0].Replace("app", "apq", StringComparison.Ordinal), good[0][..^5],
            .. new[] { "null", "[]", "{", "{}", """{"at":"never","op":"tag"}""", "\"\xff\"" }.Select(RefJournal.Line),
            Change("tag", "../../etc", "x", hex), Change("tag", "app", "../x", hex), Change("tag", "app", "x", "sha256:abc"), Change("tag", "App", "x", hex),
            Change("tag", "app", null, hex), Change("tag", "app", "x", null), Change("tag", null, "x", hex), Change("frobnicate", "app", "x", hex),
            Change("tag", "app", new string('t', 200), hex), Change("tag", new string('r', 300), "x", hex),
            Change("link", "app", null, hex), Change("unlink", "app", null, null), Change("untag", "app", null, null), Change("hold", "app", null, null),
            RefJournal.Line("""{"at":"2026-01-01T00:00:00+00:00","op":"tag","registry":"a/b","repository":"app","tag":"x","digest":""" + $"\"{hex}\"}}"),
            RefJournal.Line("""{"at":"2026-01-01T00:00:00+00:00","op":"tag","repository":"app","tag":"x","digest":""" + $"\"{hex}\"}}"),
            RefJournal.Line("""{"at":"2026-01-01T00:00:00+00:00","op":"link","registry":"","repository":"app","mediaType":"a/b","size":-1,"digest":""" + $"\"{hex}\"}}"),
        ];
        File.WriteAllText(layout.Journal, string.Concat(good.Take(1).Concat(bad).Concat(good.Skip(1)).Select(line => line + "\n")) + good[^1]);

        var leftOut = RebuiltWithoutDatabase(folder.Path);

        Assert.Equal(
            Enumerable.Range(2, bad.Length).Append(good.Length + bad.Length + 1),
            leftOut.Select(what => int.Parse(what.Split(' ')[1])));
        Assert.All(leftOut, what => Assert.Matches("^line [0-9]+ of refs.log: [^:]", what));
        Assert.DoesNotContain(leftOut, what => what.Length > 200);
        await using var reopened = Store.Open(folder.Path, TimeProvider.System);
        Assert.Equal([Tag.Parse("first")], reopened.Metadata.ListTags(app, 10, null));

        static string Change(string op, string? repository, string? tag, string? digest) => RefJournal.Line(JsonSerializer.Serialize(
            new RefChange(DateTimeOffset.UnixEpoch, op, "", repository, tag, digest, null, null), RefChangeJson.Default.RefChange));
    }

    [Fact]
    public async Task Without_a_journal_what_was_pushed_is_kept_and_it_is_said_that_nobody_knows_its_names()
    {
        using var folder = new TemporaryDirectory();
        Digest digest;
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            digest = await PushAsync(store, RepositoryName.Parse("app"), "1");
        }

        File.Delete(new StoreLayout(folder.Path).Journal);

        Assert.Contains("refs.log is not there", Assert.Single(RebuiltWithoutDatabase(folder.Path)), StringComparison.Ordinal);
        await using var reopened = Store.Open(folder.Path, TimeProvider.System);
        Assert.NotNull(reopened.Metadata.FindBlob(digest));
    }

    [Fact]
    public async Task The_database_that_was_there_is_kept_and_a_database_that_was_never_finished_is_not()
    {
        using var folder = new TemporaryDirectory();
        var layout = new StoreLayout(folder.Path);
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            await PushAsync(store, RepositoryName.Parse("app"), "1");
        }

        File.WriteAllText(layout.Database, "no database");
        File.WriteAllText(layout.Database + "-wal", "its log");
        File.WriteAllText(layout.BuildingDatabase, "a killed rebuild's");

        var done = new Rebuild(folder.Path, TimeProvider.System, _ => { }).Run(CancellationToken.None);

        Assert.Equal((layout.OldDatabase, 1, 0), (done.OldDatabase, done.Tags, done.LeftOut));
        Assert.Equal("no database", File.ReadAllText(layout.OldDatabase));
        Assert.Equal("its log", File.ReadAllText(layout.OldDatabase + "-wal"));
        Assert.Equal(
            ["blobs", "lock", "mirror.db", "mirror.db.old", "mirror.db.old-wal", "refs.log", "staged"],
            Directory.EnumerateFileSystemEntries(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    /// <summary>The files of the data directory at each moment at which a crash can leave them.</summary>
    [Theory]
    [InlineData("new.building,old,old-wal", "old")]
    [InlineData("new.rebuilt,old,old-wal", "new")]
    [InlineData("new.rebuilt,old.old,old-wal", "new")]
    [InlineData("new.rebuilt,old.old,old.old-wal", "new")]
    public async Task A_crash_while_the_databases_are_swapped_leaves_the_old_one_or_the_new_one(string files, string expected)
    {
        using var folder = new TemporaryDirectory();
        var layout = new StoreLayout(folder.Path);
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            await PushAsync(store, RepositoryName.Parse("old"), "1");
        }

        File.Copy(layout.Database, layout.BuildingDatabase);
        using (var session = new SqlSession(layout.BuildingDatabase, readOnly: false))
        {
            session.Execute("UPDATE repositories SET name = 'new'");
        }

        // A log that belongs to the old one, and that changes it where it is believed.
        using (var session = new SqlSession(layout.Database, readOnly: false))
        {
            session.Execute("PRAGMA wal_autocheckpoint = 0");
            session.Execute("UPDATE repositories SET public_at = 7");
            File.Copy(layout.Database, folder.Combine("old"));
            File.Copy(layout.Database + "-wal", folder.Combine("old-wal"));
        }

        File.Delete(layout.Database);
        foreach (var file in files.Split(','))
        {
            var (from, to) = file.StartsWith("new", StringComparison.Ordinal) ? (layout.BuildingDatabase, file[3..])
                : (folder.Combine(file.EndsWith("-wal", StringComparison.Ordinal) ? "old-wal" : "old"), file[3..]);
            if (from != layout.Database + to)
            {
                File.Copy(from, layout.Database + to);
            }
        }

        if (!files.Contains(".building", StringComparison.Ordinal))
        {
            File.Delete(layout.BuildingDatabase);
        }

        await using (var reopened = Store.Open(folder.Path, TimeProvider.System))
        {
            Assert.Single(reopened.Metadata.ListTags(RepositoryKey.Local(RepositoryName.Parse(expected)), 10, null));
        }

        using var after = new SqlSession(layout.Database, readOnly: true);
        Assert.Equal(expected == "old", after.FindOne("SELECT public_at = 7 FROM repositories", row => !row.IsDBNull(0)));
        Assert.False(File.Exists(layout.BuildingDatabase) || File.Exists(layout.RebuiltDatabase));
    }

    [Fact]
    public async Task Breaking_it_off_leaves_the_old_database()
    {
        using var folder = new TemporaryDirectory();
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            await PushAsync(store, RepositoryName.Parse("app"), "1");
        }

        var before = Dump(folder.Path);

        Assert.ThrowsAny<OperationCanceledException>(
            () => new Rebuild(folder.Path, TimeProvider.System, _ => { }).Run(new CancellationToken(canceled: true)));

        Assert.Equal(before, Dump(folder.Path));
        Assert.False(File.Exists(new StoreLayout(folder.Path).BuildingDatabase));
    }

    [Fact]
    public async Task What_a_crash_left_in_the_journal_alone_is_not_there_after_a_rebuild_either()
    {
        using var folder = new TemporaryDirectory();
        var repository = RepositoryName.Parse("app");
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            await PushAsync(store, repository, "keep");
        }

        var digest = TestImage.Create(seed: 1, layerSize: 100).Digest;
        File.AppendAllLines(new StoreLayout(folder.Path).Journal, new[]
        {
            """{"at":"2026-01-02T03:04:05+00:00","op":"untag","registry":"","repository":"app","tag":"keep"}""",
            $$"""{"at":"2026-01-02T03:04:05+00:00","op":"tag","registry":"","repository":"app","tag":"refused","digest":"{{digest}}"}""",
            $$"""{"at":"2026-01-02T03:04:05+00:00","op":"unlink","registry":"","repository":"app","digest":"{{digest}}"}""",
            $$"""{"at":"2026-01-02T03:04:05+00:00","op":"hold","registry":"docker.io","digest":"{{digest}}"}""",
        }.Select(RefJournal.Line));
        await using (Store.Open(folder.Path, TimeProvider.System))
        {
        }

        var before = Dump(folder.Path);
        Assert.Contains(before, line => line.StartsWith("tag  app keep ", StringComparison.Ordinal));
        Assert.DoesNotContain(before, line => line.Contains("refused", StringComparison.Ordinal));

        Assert.Empty(RebuiltWithoutDatabase(folder.Path));

        Assert.Equal(before, Dump(folder.Path));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    public async Task A_journal_that_was_lost_or_cut_is_written_again_from_the_database(double left)
    {
        using var folder = new TemporaryDirectory();
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            await PushAsync(store, RepositoryName.Parse("app"), "1");
            await PushAsync(store, RepositoryName.Parse("team/other"), "2");
        }

        var journal = new StoreLayout(folder.Path).Journal;
        File.WriteAllBytes(journal, File.ReadAllBytes(journal)[..(int)(new FileInfo(journal).Length * left)]);
        await using (Store.Open(folder.Path, TimeProvider.System))
        {
        }

        var before = Dump(folder.Path);
        Assert.Equal(2, before.Count(line => line.StartsWith("tag ", StringComparison.Ordinal)));

        Assert.Empty(RebuiltWithoutDatabase(folder.Path));

        Assert.Equal(before, Dump(folder.Path));
    }

    /// <summary>The database is deleted and made again.</summary>
    /// <returns>What was left out.</returns>
    private static List<string> RebuiltWithoutDatabase(string path)
    {
        foreach (var file in Directory.GetFiles(path, "mirror.db*"))
        {
            File.Delete(file);
        }

        var leftOut = new List<string>();
        var done = new Rebuild(path, TimeProvider.System, leftOut.Add).Run(CancellationToken.None);
        Assert.Equal(leftOut.Count, done.LeftOut);
        return leftOut;
    }

    /// <summary>All that a database says, without its own numbers and without times.</summary>
    private static List<string> Dump(string path)
    {
        using var session = new SqlSession(new StoreLayout(path).Database, readOnly: true);
        const string Of = "repositories r ON r.id = repository";
        return
        [
            .. new[]
            {
                "SELECT 'blob ' || digest || ' ' || size || ' ' || hex(checksums) FROM blobs",
                $"SELECT 'link ' || registry || ' ' || name || ' ' || digest || ' ' || media_type || ' ' || size FROM links JOIN {Of}",
                "SELECT 'hold ' || holder || ' ' || digest FROM holdings",
                $"SELECT 'tag ' || registry || ' ' || r.name || ' ' || t.name || ' ' || digest FROM tags t JOIN {Of}",
                "SELECT 'referrer ' || name || ' ' || subject || ' ' || digest || ' ' || media_type || ' ' || size || ' ' || ifnull(artifact_type, '-') "
                    + $"|| annotations FROM referrers JOIN {Of}",
            }.SelectMany(sql => session.List($"{sql} ORDER BY 1", row => row.GetString(0))),
        ];
    }

    private static TestImage Signature(int seed, TestImage of) =>
        TestImage.Create(
        seed: seed,
        layerSize: 100,
        subject: of.Manifest.Descriptor,
        artifactType: "application/vnd.signature",
        algorithm: of.Digest.Algorithm);

    private static TestImage Image(int seed, DigestAlgorithm algorithm = DigestAlgorithm.Sha256) =>
        TestImage.Create(layers: 2, layerSize: 300_000, seed, algorithm: algorithm);

    private static async Task<Digest> PushAsync(Store store, RepositoryName repository, string tag)
    {
        var image = TestImage.Create(seed: 1, layerSize: 100);
        foreach (var blob in image.Blobs)
        {
            await store.Metadata.Local.AddBlobAsync(repository, store.Blobs.Publish(blob.Digest, blob.Content.Span));
        }

        var manifest = RandomHistory.Parsed(image);
        await store.Metadata.Local.AddManifestAsync(
            repository, manifest, manifest.View(), store.Blobs.Publish(image.Digest, image.Manifest.Content.Span), [Tag.Parse(tag)]);
        return image.Digest;
    }

    private static void Damage(string file)
    {
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
    }
}
